import SafeTensors
import Tensors

/// Hugging Face → Hugging Face: the same files again, tensor by tensor, so that some may be changed.
package struct CopyPlan: Sendable {
  package var transfer = Transfer()

  /// Lays out a folder like the model's own, its side files too.
  ///
  /// - Parameter leavesOut: side files that are written otherwise.
  /// - Throws: `ConversionError.noWeights`; `.quantised` for weights that are not plain numbers.
  package init(_ model: HuggingFaceModel, without leavesOut: Set<String> = []) throws {
    guard let weights = model.weights else {
      throw ConversionError.noWeights(folder: model.folder)
    }
    if let quantisation = model.blueprint.quantisation,
      try SourceTensors(weights, quantisation).isQuantised
    {
      throw ConversionError.quantised(folder: model.folder, method: quantisation.method)
    }
    for file in weights.files {
      let index = transfer.files.count
      transfer.files.append(.init(path: Folder.name(file.path), size: file.header.fileSize))
      transfer.blocks.append(.init(file: index, offset: 0, bytes: file.header.rawHeader))
      for entry in file.header.tensors where entry.byteCount > 0 {
        transfer.tasks.append(
          .init(
            name: entry.name, file: index, offset: file.header.dataOffset + entry.range.lowerBound,
            count: entry.shape.count, source: entry.dtype, target: entry.dtype
          ) { try weights.runs(of: entry.name) })
      }
    }
    for name in model.sideFiles where !leavesOut.contains(name) {
      transfer.copies.append((path: name, from: "\(model.folder)/\(name)"))
    }
    if let index = weights.indexBytes {
      transfer.after.append((path: ShardedFolder.indexName, bytes: index))
    }
  }
}
