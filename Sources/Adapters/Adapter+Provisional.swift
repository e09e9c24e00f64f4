import Checkpoints

// Stand-ins until the readers and writers are here: whoever writes one takes its line away.
extension Adapter {
  /// Everything that writing it as a PEFT folder takes.
  ///
  /// - Parameter base: what adapter_config.json calls the base model.
  public func peftTransfer(for model: HuggingFaceModel, base: String) throws -> Transfer {
    throw AdapterError.unsupported(file: source, what: "PEFT adapters cannot be written yet")
  }
}
