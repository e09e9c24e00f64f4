import Support

/// The built program, run as a user runs it.
let program = BuiltProgram("train")
