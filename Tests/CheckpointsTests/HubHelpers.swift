import Foundation
import Hub
import HubStandIn
import Support
import Synchronization
import Tensors

@testable import Checkpoints
@testable import Console

/// A hub of its own, and a cache of its own, for one test.
struct HubGround {
  static let name = "org/model"
  let standIn: HubStandIn
  let folder: URL
  /// What the weights' files are called.
  let shards: [String]
  /// The bytes of all of them.
  let weightBytes: Int

  /// - Parameters:
  ///   - source: the model that the hub has.
  ///   - folder: for the cache and whatever a test writes.
  init(_ source: URL, in folder: URL) throws {
    standIn = try HubStandIn()
    self.folder = folder
    var files: [String: HubStandIn.Contents] = [:]
    let names = try Folder.names(in: source.path)
    for name in names {
      let isWeights = name.hasSuffix(".safetensors")
      files[name] = .file(source.appending(path: name).path, large: isWeights)
    }
    try standIn.put(Self.name, files: files)
    shards = names.filter { $0.hasSuffix(".safetensors") }
    weightBytes = shards.reduce(0) { $0 + (Folder.size(source.path + "/" + $1) ?? 0) }
  }

  /// A hub that asks the stand-in, and is not patient.
  func hub(cache: String = "hub", _ change: (inout HubSettings) -> Void = { _ in }) -> Hub {
    var settings = HubSettings(
      home: folder.path, cache: folder.appending(path: cache).path)
    settings.endpoint = standIn.endpoint
    settings.firstWait = 0.02
    settings.downloadTimeout = 0.3
    change(&settings)
    return Hub(settings, environment: [:])
  }

  /// Finds the model with so much of each file that its header is there, and hardly more.
  func find(_ hub: Hub, needsWeights: Bool = true) throws -> FoundModel {
    try ArrivingModel.find(
      HubReference(parsing: Self.name), hub, needsWeights: needsWeights, beginning: 64)
  }

  /// The conversion that `convert import` makes of it.
  func conversion(
    _ found: FoundModel, to target: URL, _ options: ConversionOptions
  ) throws -> Conversion {
    let source = try found.open()
    let plan = try ImportPlan(source, options)
    var conversion = Conversion(
      name: "import", verb: "Imported", architecture: source.architecture,
      sources: [found.folder], destination: target.path, tensors: 0, transfer: plan.transfer,
      notes: plan.notes, next: [])
    conversion.arriving = found.arriving.map { arriving in
      .init(arriving, takesAll: true, rest: plan.rest) {
        let again = try ImportPlan(found.whole.open(), options)
        return (again.transfer, again.notes)
      }
    }
    return conversion
  }

  @discardableResult
  func importModel(
    _ hub: Hub, to target: URL, _ options: ConversionOptions = ConversionOptions(),
    progress: TransferProgress = TransferProgress()
  ) throws -> Conversion.Carried {
    try importModel(find(hub), to: target, options, progress: progress)
  }

  @discardableResult
  func importModel(
    _ found: FoundModel, to target: URL, _ options: ConversionOptions = ConversionOptions(),
    progress: TransferProgress = TransferProgress()
  ) throws -> Conversion.Carried {
    let conversion = try conversion(found, to: target, options)
    guard let arriving = conversion.arriving else {
      let staged = try conversion.write(
        to: target.path, overwrite: false, workers: 2, progress)
      return .init(done: conversion, staged: staged)
    }
    return try conversion.carryOut(
      arriving, to: target.path, overwrite: false, workers: 2, progress)
  }

  /// The bytes of weights that have been sent.
  var sent: Int { standIn.requests.filter { $0.server == .storage }.reduce(0) { $0 + $1.sent } }

  /// The snapshot's folder, once there is one.
  func snapshot(cache: String = "hub") throws -> URL {
    let place = folder.appending(path: "\(cache)/models--org--model/snapshots")
    return place.appending(path: try Folder.names(in: place.path).first ?? "")
  }
}
