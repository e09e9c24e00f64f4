import Blueprint
import JSON
import MegatronFormat
import Tensors

extension HuggingFaceModel {
  /// Megatron-Bridge's `run_config.yaml`: the model as its layers say, the rest at its defaults.
  ///
  /// - Parameters:
  ///   - blueprint: the model without what a checkpoint leaves out; its own by default.
  ///   - dtype: the type of most of the weights.
  /// - Throws: `ConversionError` where the weights are not those of the model.
  public func runConfig(
    _ blueprint: Blueprint? = nil, dtype: DType, sizes: ParallelSizes = ParallelSizes()
  ) throws -> YAMLValue {
    let arguments = MegatronArguments(
      try blueprint ?? covered(), source: folder, dtype: dtype, sizes: sizes, origin: origin)
    return try RunConfig.value(model: YAMLValue(.object(arguments.model)), tokenizer: folder)
  }

  /// The blueprint without predictors that the weights leave out.
  private func covered() throws -> Blueprint {
    guard let weights else { return blueprint }
    let source = try SourceTensors(weights, blueprint.quantisation)
    return try SourceCoverage(self, source, isStrict: false).blueprint
  }
}
