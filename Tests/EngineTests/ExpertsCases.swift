import Foundation
import Kernels
import Support
import Tensors
import Testing

@testable import Blueprint
@testable import Engine

/// What fixtures/experts/generate.py wrote.
struct ExpertsCases: Decodable, Sendable {
  var layers: [LayerCase]
  var losses: Losses
  var xielu: XieluCase

  static let all: ExpertsCases? = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let url = Support.fixtures.appending(path: "experts/cases.json")
    return try? decoder.decode(ExpertsCases.self, from: Data(contentsOf: url))
  }()

  /// A mixture of experts, forward and back.
  struct LayerCase: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var experts: Int
    var inner: Int
    var score: String
    var perToken: Int
    var activation: String
    var normalises: Bool?
    var minimum: Double?
    var scale: Double?
    var groups: [Int]?
    var jitter: Double?
    var scalesInput: Bool?
    var isPlain: Bool?
    var limit: Double?
    var offset: Double?
    var latent: Int?
    var shared: Int?
    var sharedGate: Bool?
    var inputEps: Double?
    var tensors: [String: [Double]]
    var inputs: [String: [Double]]
    var gradients: [String: [Double]]
    var y: [Double]
    var dy: [Double]

    var testDescription: String { name }
    /// The output and all gradients.
    var expected: [String: [Double]] { gradients.merging(["y": y]) { first, _ in first } }
  }

  /// Losses of routers, with factor one, of the same logits.
  struct Losses: Decodable, Sendable {
    var experts: Int
    var perToken: Int
    var logits: [Double]
    var cases: [Case]

    struct Case: Decodable, Sendable, CustomTestStringConvertible {
      var name: String
      var kind: String
      var score: String
      var sequences: [Int]
      var loss: Double
      var gradient: [Double]

      var testDescription: String { name }
    }
  }

  struct XieluCase: Decodable, Sendable {
    var alphaP: Double
    var alphaN: Double
    var beta: Double
    var eps: Double
    var x: [Double]
    var y: [Double]
    var dx: [Double]
    var dAlphaP: Double
    var dAlphaN: Double
  }
}

extension ExpertsCases.LayerCase {
  /// The layer that the case's settings describe.
  func experts(width: Int) -> Experts {
    let scores: [String: Router.Score] = [
      "softmax": .softmax, "sigmoid": .sigmoid, "sparse_mixer": .sparseMixer(jitter: jitter ?? 0),
    ]
    var router = Router(
      "gate", scores[score] ?? .softmax, perToken: perToken, isNormalized: normalises ?? false,
      scale: scale ?? 1, correction: tensors["correction"] == nil ? nil : "correction",
      groups: groups.map { Router.Groups(count: $0[0], kept: $0[1], ranked: $0[2]) })
    router.normMinimum = minimum ?? 0
    router.hasBias = tensors["router_bias"] != nil
    router.scalesInput = scalesInput ?? false
    router.expertScale = tensors["expert_scale"] == nil ? nil : "expert_scale"
    router.input = inputEps.map { Router.Input(scale: "router_scale", eps: $0) }
    let kind = Activation(rawValue: activation) ?? .silu
    func mlp(_ inner: Int) -> MLP {
      MLP(
        width, inner: inner, kind,
        input: isPlain ?? false ? .plain("shared.up") : .stacked("shared.input"),
        down: "shared.down")
    }
    var experts = Experts(
      width, count: experts, inner: inner, kind, router: router,
      storage: isPlain ?? false
        ? .listed(prefix: "experts", .plain("up"), down: "down")
        : .stacked(input: "fc1", down: "fc2"),
      shared: shared.map(mlp), sharedGate: sharedGate ?? false ? "shared_gate" : nil,
      latent: latent.map { ($0, "latent.down", "latent.up") })
    experts.hasBias = tensors["fc1_bias"] != nil
    experts.limit = limit
    experts.offset = offset ?? 0
    return experts
  }

  /// What the case calls a tensor.
  private static func name(_ role: Role) -> String {
    switch role {
    case .router(.weight): "router"
    case .router(.bias): "router_bias"
    case .routerCorrection: "correction"
    case .routerScale(.input): "router_scale"
    case .routerScale(.experts): "expert_scale"
    case .expertFC1(.weight): "fc1"
    case .expertFC1(.bias): "fc1_bias"
    case .expertFC2(.weight): "fc2"
    case .expertFC2(.bias): "fc2_bias"
    case .sharedFC1: "shared_fc1"
    case .sharedFC2: "shared_fc2"
    case .sharedGate: "shared_gate"
    case .latentDown: "latent_down"
    case .latentUp: "latent_up"
    default: "\(role)"
    }
  }

  /// The output, the gradients of the inputs, and those of all tensors that have any.
  func computed(_ numbers: Numbers) throws -> [String: [Double]] {
    let rows = dy.count / 4
    let layer = experts(width: 4)
    let frame = Frame(vocabulary: 2, width: 4, depth: 1, isTied: true, positions: nil)
    let blueprint = Blueprint(frame, final: Norm(4, eps: 1, "norm")) { _ in Residual(nil, layer) }
    let model = try Model(blueprint, numbers) { slot, rows, columns, numbers in
      let matrix = Matrix(rows, columns, numbers)
      matrix.set(tensors[Self.name(slot.slot.role)] ?? [Double](repeating: 0, count: matrix.count))
      return matrix
    }
    func node(_ values: [Double]?) throws -> Node {
      let matrix = Matrix(rows, 4, numbers)
      matrix.set(try #require(values))
      return Node(matrix, isTracked: true)
    }
    let x = try node(inputs["x"])
    let tape = Tape(numbers, isRecording: true)
    let batch = Batch([[Int32](repeating: 0, count: rows)])
    let pass = Pass(model, tape, batch)
    if inputs["stream"] != nil { pass.stream = try node(inputs["stream"]) }
    let y = try pass.compute(layer, x)
    var found = ["y": y.value.values]
    y.add(try node(dy).value)
    tape.runBackward()
    found["x"] = x.gradient?.values
    found["stream"] = pass.stream?.gradient?.values
    for parameter in model.parameters {
      found[Self.name(parameter.role)] = parameter.gradient?.values
    }
    return found
  }
}
