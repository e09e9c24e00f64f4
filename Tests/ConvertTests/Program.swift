import Support

/// The built program, run as a user runs it.
let program = BuiltProgram("convert")

/// The model that lies in the repository.
let demo = Support.demo
