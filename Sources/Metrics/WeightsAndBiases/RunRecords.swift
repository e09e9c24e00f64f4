import JSON

/// The records of a `.wandb` file that a run of ours has.
///
/// Reference: wandb/proto/wandb_internal.proto
enum RunRecords {
  /// The numbers of the kinds of records.
  enum Kind {
    static let history = 2
    static let summary = 3
    static let configuration = 5
    static let files = 6
    static let run = 17
    static let exit = 18
    static let header = 21
    static let environment = 26
  }

  /// The version of the format's writer that these records were compared with.
  static let producer = "0.31.0"
  private static let leastConsumer = "0.9.0"

  static func header() -> ProtobufMessage {
    ProtobufMessage { header in
      header.message(1) { version in
        version.text(1, producer)
        version.text(2, leastConsumer)
      }
    }
  }

  static func run(
    _ identifier: String, _ options: WeightsAndBiasesOptions, _ description: RunDescription,
    host: String = Machine.host
  ) -> ProtobufMessage {
    ProtobufMessage { run in
      run.text(1, identifier)
      if let entity = options.entity { run.text(2, entity) }
      run.text(3, options.project)
      run.data(4, configuration(description).bytes)
      if let group = options.group { run.text(6, group) }
      run.text(8, options.name ?? description.name)
      if let notes = options.notes { run.text(9, notes) }
      for tag in options.tags { run.text(10, tag) }
      run.text(13, host)
      run.message(17) { time(&$0, description.start) }
    }
  }

  /// The configuration as objects in objects, as dotted keys describe them.
  static func configuration(_ description: RunDescription) -> ProtobufMessage {
    var tree = JSONObject()
    for (key, value) in description.configuration {
      tree = tree.setting(key.split(separator: ".").map(String.init)[...], to: value)
    }
    return ProtobufMessage { configuration in
      for (key, value) in tree.members {
        configuration.message(1) { item in
          item.text(1, key)
          item.text(16, value.serialized())
        }
      }
    }
  }

  static func environment(_ description: RunDescription) -> ProtobufMessage {
    ProtobufMessage { environment in
      environment.text(1, Machine.system)
      environment.message(3) { time(&$0, description.start) }
      for word in description.arguments.dropFirst() { environment.text(5, word) }
      if let program = description.arguments.first { environment.text(6, program) }
      environment.text(11, description.folder)
      environment.text(12, Machine.host)
      environment.number(16, Machine.processors)
      environment.number(17, Machine.processors)
      environment.message(21) { $0.number(1, Machine.memory) }
      environment.text(199, Machine.word(32, of: "0123456789abcdef"))
    }
  }

  /// Files of the run's `files` folder that are to be uploaded at the end.
  static func files(_ names: [String]) -> ProtobufMessage {
    ProtobufMessage { files in
      for name in names {
        files.message(1) { file in
          file.text(1, name)
          file.number(2, 1)  // END
          file.number(3, 1)  // WANDB
        }
      }
    }
  }

  /// The numbers of a step, as a row of the history and as the newest of each.
  static func rows(
    _ numbers: [(name: String, value: JSON)], step: Int
  ) -> (history: ProtobufMessage, summary: ProtobufMessage) {
    func items(_ message: inout ProtobufMessage) {
      for (name, value) in numbers {
        message.message(1) { item in
          item.text(2, name)
          item.text(16, value.serialized())
        }
      }
    }
    let history = ProtobufMessage { history in
      items(&history)
      history.message(2) { $0.number(1, step) }
    }
    return (history, ProtobufMessage { items(&$0) })
  }

  static func exit(code: Int, seconds: Double) -> ProtobufMessage {
    ProtobufMessage { exit in
      exit.number(1, code)
      exit.number(2, Int(max(0, min(seconds, 1e9))))
    }
  }

  private static func time(_ message: inout ProtobufMessage, _ seconds: Double) {
    let milliseconds = Timestamp(seconds).milliseconds
    message.number(1, milliseconds / 1000)
    message.number(2, milliseconds % 1000 * 1_000_000)
  }
}

extension JSONObject {
  /// The object with a value at a path; what stands in its way gives way.
  fileprivate func setting(_ path: ArraySlice<String>, to value: JSON) -> JSONObject {
    guard let key = path.first else { return self }
    var object = self
    if path.count == 1 {
      object[key] = value
    } else {
      let inner = self[key]?.object ?? JSONObject()
      object[key] = .object(inner.setting(path.dropFirst(), to: value))
    }
    return object
  }
}
