import Tensors

/// The records of a TensorBoard event file: a length, its checksum, an event, its checksum.
///
/// Reference: tensorflow/core/lib/io/record_writer.cc, tensorboard/compat/proto/event.proto
enum EventFile {
  /// What the first event says of the writer; files that do not say so are not ours.
  static let writer = "isthmus"
  /// The end of the names of metrics whose step is a number of samples.
  static let overSamples = " vs samples"
  /// No event of ours is longer.
  private static let longest = 1 << 26

  static func framed(_ event: ProtobufMessage) -> [UInt8] {
    var length: [UInt8] = []
    length.appendLittle(UInt64(event.bytes.count))
    var record = length
    record.appendLittle(Castagnoli.masked(length))
    record += event.bytes
    record.appendLittle(Castagnoli.masked(event.bytes))
    return record
  }

  static func opening(time: Double) -> ProtobufMessage {
    ProtobufMessage { event in
      event.double(1, time)
      event.text(3, "brain.Event:2")
      event.message(10) { $0.text(1, writer) }
    }
  }

  static func scalars(
    _ scalars: [(name: String, value: Double)], step: Int, time: Double
  ) -> ProtobufMessage {
    ProtobufMessage { event in
      event.double(1, time)
      event.number(2, step)
      event.message(5) { summary in
        for scalar in scalars {
          summary.message(1) { value in
            value.text(1, scalar.name)
            value.float(2, Float(scalar.value))
          }
        }
      }
    }
  }

  /// A text as the text plugin shows it, in Markdown.
  static func text(_ name: String, _ text: String, time: Double) -> ProtobufMessage {
    ProtobufMessage { event in
      event.double(1, time)
      event.message(5) { summary in
        summary.message(1) { value in
          value.text(1, name)
          value.message(8) { tensor in
            tensor.number(1, 7)  // DT_STRING
            tensor.message(2) { shape in shape.message(2) { $0.number(1, 1) } }
            tensor.text(8, text)
          }
          value.message(9) { metadata in
            metadata.message(1) { $0.text(1, "text") }
          }
        }
      }
    }
  }

  // MARK: Reading

  /// Whether a file begins as ours do; whatever else a path leads to is not to be touched.
  static func isOurs(_ path: String) throws(FileError) -> Bool {
    guard Folder.isFile(path), let opening = try event(in: InputFile(path), at: 0) else {
      return false
    }
    return ProtobufFields.data(10, in: opening[...]).contains { source in
      ProtobufFields.data(1, in: source).contains { $0.elementsEqual(writer.utf8) }
    }
  }

  /// Where the records begin that tell of steps beyond `step`, or that are torn; `nil` if there are none.
  ///
  /// The events of a step lie together, those over samples behind the others, so that one cut takes them all.
  static func end(of path: String, upTo step: Int) throws(FileError) -> Int? {
    let file = try InputFile(path)
    var place = 0
    while place < file.size {
      guard let event = try event(in: file, at: place) else { return place }
      if Self.step(of: event[...]).map({ $0 > step }) ?? false { return place }
      place += event.count + 16
    }
    return nil
  }

  private static func event(in file: InputFile, at place: Int) throws(FileError) -> [UInt8]? {
    guard file.size - place >= 16 else { return nil }
    let head = try file.read(place..<place + 12)
    let count = little(head[0..<8])
    guard little(head[8..<12]) == UInt64(Castagnoli.masked(head[0..<8])), count <= longest,
      Int(count) <= file.size - place - 16
    else { return nil }
    let body = try file.read(place + 12..<place + 16 + Int(count))
    let event = body.dropLast(4)
    guard little(body.suffix(4)) == UInt64(Castagnoli.masked(event)) else { return nil }
    return Array(event)
  }

  private static func little(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The number of updates an event tells of; `nil` for one over samples.
  private static func step(of event: ArraySlice<UInt8>) -> Int? {
    let names = ProtobufFields.data(5, in: event).flatMap { summary in
      ProtobufFields.data(1, in: summary).flatMap { ProtobufFields.data(1, in: $0) }
    }
    let isOverSamples = names.allSatisfy {
      $0.suffix(overSamples.utf8.count).elementsEqual(overSamples.utf8)
    }
    if isOverSamples, !names.isEmpty { return nil }
    return ProtobufFields.number(2, in: event).map { Int(truncatingIfNeeded: $0) }
  }
}
