import JSON
import Tensors

/// A run as its files tell it, over all its processes.
public struct RecordedRun {
  /// What the run is, as far as it is known.
  public var description: RunDescription
  var loss = Curve()
  var gradientNorm = Curve()
  var rate = Curve()
  var speed = Curve()
  /// In gibibytes.
  var memory = Curve()
  /// The loss on each validation set, by its name; "" is the only one.
  var validations: [(name: String, curve: Curve)] = []

  /// The number of the newest step.
  public private(set) var steps = 0
  public private(set) var tokens = 0
  private(set) var labels = 0
  /// What the updates took.
  public private(set) var seconds = 0.0
  /// When the first and the newest step were written down.
  private(set) var firstTime: String?
  private(set) var lastTime: String?

  /// Reads `training.jsonl` and the `validation….jsonl` beside it.
  ///
  /// - Throws: where `training.jsonl` cannot be read.
  public init(folder: String, _ description: RunDescription) throws(FileError) {
    self.description = description
    var lines = try FileLines(folder + "/" + JSONLinesWriter.trainingName)
    while let line = try lines.next() {
      if let object = Self.object(line.bytes) { add(object) }
    }
    for name in try Folder.names(in: folder) where name.hasSuffix(".jsonl") {
      let stem = name.dropLast(".jsonl".count)
      guard stem == "validation" || stem.hasPrefix("validation_") else { continue }
      var curve = Curve()
      var lines = try FileLines(folder + "/" + name)
      while let line = try lines.next() {
        guard let object = Self.object(line.bytes), let step = object["step"]?.integer,
          let loss = object["val_loss"]?.double
        else { continue }
        curve.add(step, loss)
      }
      validations.append((String(stem.dropFirst("validation_".count)), curve))
    }
  }

  private static func object(_ line: ArraySlice<UInt8>) -> JSONObject? {
    (try? JSON(parsing: Array(line), maximumDepth: 8, allowingNonFinite: true))?.object
  }

  private mutating func add(_ object: JSONObject) {
    guard let step = object["step"]?.integer, let value = object["loss"]?.double else { return }
    steps = step
    loss.add(step, value)
    if let value = object["grad_norm"]?.double { gradientNorm.add(step, value) }
    if let value = object["lr"]?.double { rate.add(step, value) }
    if let value = object["mem"]?.double { memory.add(step, value) }
    let tokens = object["num_tokens_per_step"]?.integer ?? 0
    self.tokens &+= tokens
    labels &+= object["num_label_tokens"]?.integer ?? 0
    if let value = object["tps"]?.double {
      speed.add(step, value)
      if value > 0 { seconds += Double(tokens) / value }
    }
    lastTime = object["timestamp"]?.string
    if firstTime == nil { firstTime = lastTime }
  }

  /// The losses in their order without their noise, of many neighbours one.
  public var lossCurve: [Double] { loss.smoothed.map(\.y) }

  /// The best loss on the first validation set, and its step.
  public var bestValidationLoss: (step: Int, loss: Double)? {
    bestValidation.map { ($0.step, $0.value) }
  }

  /// The best loss on the first validation set.
  var bestValidation: Curve.Point? {
    validations.first?.curve.stretches.map(\.least).min { $0.value < $1.value }
  }
}
