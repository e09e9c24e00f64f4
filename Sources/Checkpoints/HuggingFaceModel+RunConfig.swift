import Blueprint
import Hub
import JSON
import MegatronFormat
import Tensors

extension HuggingFaceModel {
  /// What files of a run call the model: `org/name` where the folder is the hub's, so that they are understood on
  /// other machines as well; else the folder.
  public var name: String { Hub.current.name(of: folder) ?? folder }

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
      try blueprint ?? covered(), source: name, dtype: dtype, sizes: sizes, origin: origin)
    return try RunConfig.value(model: YAMLValue(.object(arguments.model)), tokenizer: name)
  }

  /// The blueprint without predictors that the weights leave out.
  private func covered() throws -> Blueprint {
    guard let weights else { return blueprint }
    let source = try SourceTensors(weights, blueprint.quantisation)
    return try SourceCoverage(self, source, isStrict: false).blueprint
  }
}
