/// Dividing and joining as Python's `str` does.
extension Text {
  /// The parts between runs of white space, at most `limit` cuts.
  func words(limit: Int = -1, fromEnd: Bool = false) -> [Text] {
    var parts: [Text] = []
    var cuts = 0
    if fromEnd {
      var rest = stripped(left: false)
      while !rest.isEmpty {
        if cuts == limit {
          parts.append(rest)
          break
        }
        var start = rest.bytes.count
        while start > 0 {
          let before = rest.previous(start)
          if rest.scalar(at: before).isPythonSpace { break }
          start = before
        }
        parts.append(rest.part(start..<rest.bytes.count))
        rest = rest.part(0..<start).stripped(left: false)
        cuts += 1
      }
      return parts.reversed()
    }
    var place = 0
    while true {
      while place < bytes.count, scalar(at: place).isPythonSpace { place = next(place) }
      guard place < bytes.count else { return parts }
      if cuts == limit {
        parts.append(part(place..<bytes.count))
        return parts
      }
      let start = place
      while place < bytes.count, !scalar(at: place).isPythonSpace { place = next(place) }
      parts.append(part(start..<place))
      cuts += 1
    }
  }

  /// The parts between the places of `separator`, at most `limit` cuts.
  func split(_ separator: Text, limit: Int = -1, fromEnd: Bool = false) -> [Text] {
    var parts: [Text] = []
    if fromEnd {
      var end = bytes.count
      while parts.count != limit, let place = findLast(separator, to: end) {
        parts.append(part(place + separator.bytes.count..<end))
        end = place
      }
      return [part(0..<end)] + parts.reversed()
    }
    var start = 0
    while parts.count != limit, let place = find(separator, from: start) {
      parts.append(part(start..<place))
      start = place + separator.bytes.count
    }
    return parts + [part(start..<bytes.count)]
  }

  func lines(keepingEnds: Bool = false) -> [Text] {
    var parts: [Text] = []
    var start = 0
    var place = 0
    while place < bytes.count {
      let scalar = scalar(at: place)
      var after = next(place)
      guard scalar.isPythonLineEnd else {
        place = after
        continue
      }
      if scalar == "\r", after < bytes.count, bytes[after] == Byte.newline { after += 1 }
      parts.append(part(start..<(keepingEnds ? after : place)))
      start = after
      place = after
    }
    if start < bytes.count { parts.append(part(start..<bytes.count)) }
    return parts
  }

  /// Replaces the first `limit` places of `old`; all of them where that is negative.
  func replacing(
    _ old: Text, with new: Text, limit: Int, _ renderer: Renderer
  ) throws(Fault) -> Text {
    guard limit != 0 else { return self }
    var result: [UInt8] = []
    var count = 0
    func check() throws(Fault) {
      guard result.count <= renderer.limits.bytes else { throw renderer.tooLong }
      try renderer.spend(1)
    }
    if old.isEmpty {
      for character in characters {
        if count != limit {
          result += new.bytes
          count += 1
        }
        result += character.bytes
        try check()
      }
      if count != limit { result += new.bytes }
      return Text(result)
    }
    var start = 0
    while count != limit, let place = find(old, from: start) {
      result += bytes[start..<place]
      result += new.bytes
      start = place + old.bytes.count
      count += 1
      try check()
    }
    guard count > 0 else { return self }
    result += bytes[start...]
    return Text(result)
  }

  /// The text with so many scalars in all, filled on its left and right.
  ///
  /// - Parameter leftShare: how much of the filling goes to the left, given how much there is.
  func padded(
    to width: Int, with fill: Text, _ renderer: Renderer, leftShare: (Int) -> Int
  ) throws(Fault) -> Text {
    let missing = width.subtractingReportingOverflow(count)
    guard !missing.overflow, missing.partialValue > 0 else { return self }
    let (size, overflow) = missing.partialValue.multipliedReportingOverflow(by: fill.bytes.count)
    guard !overflow, size + bytes.count <= renderer.limits.bytes else { throw renderer.tooLong }
    try renderer.spend(size >> 4)
    let left = leftShare(missing.partialValue)
    func filling(_ count: Int) -> [UInt8] {
      Array(repeatElement(fill.bytes, count: count).joined())
    }
    return Text(filling(left) + bytes + filling(missing.partialValue - left))
  }

  /// Where Python's `str.center` puts the odd one.
  static func centre(_ missing: Int, _ width: Int) -> Int { missing / 2 + (missing & width & 1) }

  static func join(_ parts: [Text], _ separator: Text, _ renderer: Renderer) throws(Fault) -> Text {
    var size = separator.bytes.count * max(0, parts.count - 1)
    for part in parts { size += part.bytes.count }
    guard size <= renderer.limits.bytes else { throw renderer.tooLong }
    try renderer.spend(parts.count + size >> 6)
    var result: [UInt8] = []
    result.reserveCapacity(size)
    for (index, part) in parts.enumerated() {
      if index > 0 { result += separator.bytes }
      result += part.bytes
    }
    return Text(result)
  }
}
