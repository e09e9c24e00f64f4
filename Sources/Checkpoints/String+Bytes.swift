extension String {
  /// Whether the text holds another, byte for byte.
  ///
  /// Foundation's `contains`, which wins wherever Foundation is linked, knows of languages and takes a
  /// microsecond; a checkpoint of many experts has tens of thousands of keys.
  func holds(_ part: String) -> Bool {
    let text = utf8.span
    let wanted = part.utf8.span
    guard let first = wanted.isEmpty ? nil : wanted[0], text.count >= wanted.count else {
      return wanted.isEmpty
    }
    for start in 0...text.count - wanted.count where text[start] == first {
      var length = 1
      while length < wanted.count, text[start + length] == wanted[length] { length += 1 }
      if length == wanted.count { return true }
    }
    return false
  }
}
