import Glibc

/// What records say of the machine they were made on.
enum Machine {
  static var host: String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
    let name = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    // It becomes a part of file names.
    return String(String(decoding: name, as: UTF8.self).map { $0 == "/" ? "_" : $0 })
  }

  static var user: String? { variable("USER") ?? variable("LOGNAME") }

  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// In bytes.
  static var memory: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }

  /// `Linux-6.1.0-x86_64`.
  static var system: String {
    var names = utsname()
    guard uname(&names) == 0 else { return "Linux" }
    return [text(names.sysname), text(names.release), text(names.machine)].joined(separator: "-")
  }

  /// The characters of one of C's arrays, which Swift sees as a tuple.
  private static func text(_ tuple: some Any) -> String {
    let bytes = Mirror(reflecting: tuple).children.compactMap { $0.value as? CChar }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A random word of digits and, where `letters` allows, small letters.
  static func word(_ count: Int, of letters: String) -> String {
    let letters = Array(letters)
    return String((0..<count).compactMap { _ in letters.randomElement() })
  }
}
