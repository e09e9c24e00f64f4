import Tensors

/// The tensors of a distributed checkpoint by their keys, each put together when it is asked for.
///
/// A model of many experts has tens of thousands, of which a look at the checkpoint needs none.
public struct DistributedTensors: Sendable {
  private let metadata: DistributedMetadata
  private let store: ItemStore

  init(_ metadata: DistributedMetadata, _ store: ItemStore) {
    self.metadata = metadata
    self.store = store
  }

  public var count: Int { metadata.tensors.count }

  /// The keys, in no order.
  public var keys: some Collection<String> { metadata.tensors.keys }

  public subscript(key: String) -> DistributedTensor? {
    metadata.tensors[key].map { DistributedTensor(key: key, $0, store: store) }
  }

  /// All tensors, in no order.
  public var values: [DistributedTensor] {
    metadata.tensors.map { DistributedTensor(key: $0, $1, store: store) }
  }
}
