/// What Python's methods make of strings, for whoever must judge texts as programs in Python do.
package enum PythonText {
  /// `str.lower()`.
  package static func lowercased(_ text: String) -> String { Text(text).lowercased().string }

  /// Whether `str.split()` cuts here.
  package static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.isPythonSpace }

  /// Whether it is `\w` in Python's expressions.
  package static func isWord(_ scalar: Unicode.Scalar) -> Bool { scalar.isPythonWord }
}
