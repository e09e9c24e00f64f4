import Checkpoints
import Foundation
import MegatronFormat
import SafeTensors
import Support
import Tensors
import Testing

/// Against the checkpoints that Megatron-Bridge itself wrote from the same models.
@Suite struct PeerTests {
  struct Peer: CustomTestStringConvertible, Sendable {
    var item: Case
    /// The folder beside `hf`: `megatron`, `megatron_tp2` and so on.
    var folder: String
    var url: URL { item.root.appending(path: folder) }
    var testDescription: String { "\(item.path)/\(folder)" }
  }

  static let checkpoints = Case.bridge.flatMap { item in
    ((try? Folder.names(in: item.root.path)) ?? []).filter { $0.hasPrefix("megatron") }
      .map { Peer(item: item, folder: $0) }
  }

  /// The parallel sizes in a folder's name: `megatron_tp2_ep2`.
  private static func options(_ folder: String) -> ConversionOptions {
    func size(_ name: String) -> Int {
      folder.split(separator: "_").compactMap { part in
        part.hasPrefix(name) ? Int(part.dropFirst(name.count)) : nil
      }.first ?? 1
    }
    return ConversionOptions(tp: size("tp"), pp: size("pp"), ep: size("ep"))
  }

  private struct Chunk: Hashable {
    var key: String
    var offsets: [Int]
    var sizes: [Int]
  }

  private func chunks(_ folder: String) throws -> Set<Chunk> {
    let checkpoint = try DistributedCheckpoint(folder: RunFolder(resolving: folder).weights)
    return Set(
      checkpoint.metadata.tensors.flatMap { key, tensor in
        tensor.chunks.map { Chunk(key: key, offsets: $0.offsets, sizes: $0.sizes) }
      })
  }

  private func extraStates(_ folder: String) throws -> Set<String> {
    let checkpoint = try DistributedCheckpoint(folder: RunFolder(resolving: folder).weights)
    return Set(checkpoint.objectKeys.filter { $0.contains("._extra_state/") })
  }

  @Test func thereAreParallelCheckpointsAmongThem() {
    let folders = Set(Self.checkpoints.map(\.folder))
    #expect(folders.contains("megatron"))
    #expect(folders.contains { $0.contains("tp2") })
    #expect(folders.contains { $0.contains("ep2") })
  }

  @Test(arguments: checkpoints) func ourImportIsThePeersTensorByTensor(_ peer: Peer) throws {
    try Support.withTemporaryFolder { folder in
      let ours = folder.appending(path: "ours")
      try importModel(peer.item.folder, to: ours, Self.options(peer.folder))
      var theirs = try tensors(ofMegatron: peer.url)
      let mine = try tensors(ofMegatron: ours)
      for (key, tensor) in theirs where peer.hasRoundedBiases && key.hasSuffix("expert_bias") {
        // The peer's older version rounds them (BRIDGE.md, fact 7).
        let exact = try #require(mine[key])
        #expect(tensor.bytes == roundedToBFloat16(exact.bytes))
        theirs[key] = exact
      }
      #expect(differences(mine, theirs) == [])
      #expect(try extraStates(ours.path) == extraStates(peer.url.path))
    }
  }

  @Test(arguments: checkpoints) func ourRanksHoldThePeersChunks(_ peer: Peer) throws {
    try Support.withTemporaryFolder { folder in
      let ours = folder.appending(path: "ours")
      try importModel(peer.item.folder, to: ours, Self.options(peer.folder))
      let (mine, theirs) = (try chunks(ours.path), try chunks(peer.url.path))
      #expect(mine.subtracting(theirs) == [])
      #expect(theirs.subtracting(mine) == [])
    }
  }

  @Test(arguments: checkpoints) func exportingThePeersGivesTheSourceBack(_ peer: Peer) throws {
    try Support.withTemporaryFolder { folder in
      let back = folder.appending(path: "back")
      try exportModel(peer.url, like: peer.item.folder, to: back)
      guard peer.hasRoundedBiases else {
        #expect(try differences(peer.item.folder, back) == [])
        return
      }
      let source = try tensors(of: peer.item.folder)
      let found = try tensors(of: back)
      let wrong = source.keys.filter { source[$0] != found[$0] }
      #expect(source.keys.sorted() == found.keys.sorted())
      #expect(!wrong.isEmpty)
      for name in wrong {
        #expect(name.hasSuffix("mlp.gate.e_score_correction_bias"))
        #expect(found[name]?.dtype == .float32)
        #expect(found[name]?.bytes == roundedToBFloat16(try #require(source[name]).bytes))
      }
    }
  }

  /// Float32 numbers, each the nearest bfloat16.
  private func roundedToBFloat16(_ bytes: [UInt8]) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: 4).flatMap { start in
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << ($1 * 8) }
      // To nearest, ties to even; the biases are ordinary numbers.
      let rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
      return [0, 0, UInt8(rounded & 0xFF), UInt8(rounded >> 8)]
    }
  }
}

extension PeerTests.Peer {
  /// Megatron-Bridge 0.3.1 sent the routers' biases through bfloat16.
  var hasRoundedBiases: Bool { item.name == "deepseek_v3" && folder == "megatron_v031" }
}
