import Checkpoints

extension Adapter {
  /// A model's weights with the adapter added as they are read, each tensor rounded once to its stored type.
  ///
  /// - Throws: `AdapterError.unsupported` for weights in a Megatron checkpoint, or a change that the model has no
  ///   place for; `.doesNotFit`, `.leftOver`.
  public func merged(into weights: ModelWeights) throws -> ModelWeights {
    let fault = AdapterError.unsupported(
      file: source,
      what:
        "it changes more than matrices by low-rank factors, which cannot be done to these weights as they are "
        + "read. Merge it into the model with merge-lora, and take the result")
    guard weights.model.weights != nil else { throw fault }
    let transfer = try CopyPlan(weights.model).transfer
    let builder = try OverlayBuilder(
      [WeightedAdapter(self)], BaseTensors(BaseModel(weights.model), transfer))
    guard let merged = weights.changed(by: builder.overlay) else { throw fault }
    return merged
  }
}
