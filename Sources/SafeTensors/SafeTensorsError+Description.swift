import JSON

extension SafeTensorsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .header(let file, let fault): "\(file) is not a valid safetensors file: \(fault)"
    case .noSuchTensor(let file, let tensor): "\(file) has no tensor “\(tensor)”."
    case .subByteData(let file, let tensor, let dtype):
      "The tensor “\(tensor)” of \(file) has elements of type \(dtype.rawValue), smaller than a byte, "
        + "which cannot be read here; use a copy of the model in another number format."
    case .wrongByteCount(let file, let tensor, let expected, let found):
      "The tensor “\(tensor)” of \(file) needs \(expected) bytes, but \(found) are given."
    case .folder(let folder, let faults):
      if faults.count == 1 {
        "\(folder): \(faults[0])"
      } else {
        "\(folder) has \(faults.count) faults:\n"
          + faults.map { "  \($0)" }.joined(separator: "\n")
      }
    }
  }
}

extension HeaderFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noLength, .tooLong, .cutShort, .notAnObject, .json, .dataLength: frameDescription
    case .metadata, .entry, .unknownDType, .tooLarge, .partialByte, .nameTaken: entryDescription
    case .reversedOffsets, .wrongSize, .gap, .overlap: offsetDescription
    }
  }

  private var frameDescription: String {
    switch self {
    case .noLength(let size):
      "it has \(size) bytes, too few for the 8 bytes of the header's length; copy it again."
    case .tooLong(let length, let limit):
      "its header is said to be \(length) bytes long, more than the \(limit) that the format allows; "
        + "it is damaged or of another format."
    case .cutShort(let length, let size):
      "its header is said to be \(length) bytes long, but the file has only \(size) bytes; it is "
        + "cut short or of another format, copy it again."
    case .notAnObject(let found):
      "its header begins with \(found.map { "the byte \($0)" } ?? "nothing"), not with “{”; it is "
        + "damaged or of another format."
    case .json(let error): "in its header, which starts at byte 8 of the file: \(error)"
    case .dataLength(let expected, let found) where found < expected:
      "its tensors need \(expected) bytes of data, but it has \(found); it is cut short, copy it again."
    case .dataLength(let expected, let found):
      "its tensors end after \(expected) bytes of data, but \(found - expected) more bytes follow."
    default: ""
    }
  }

  private var entryDescription: String {
    switch self {
    case .metadata(let name?, let expected, let found):
      "its metadata entry “\(name)” is \(found), not \(expected)."
    case .metadata(nil, let expected, let found):
      "its “__metadata__” is \(found), not \(expected)."
    case .entry(let tensor, let field?, let expected, let found):
      "the field “\(field)” of its tensor “\(tensor)” is \(found), not \(expected)."
    case .entry(let tensor, nil, let expected, let found):
      "the entry of its tensor “\(tensor)” is \(found), not \(expected)."
    case .unknownDType(let tensor, let found):
      "its tensor “\(tensor)” has elements of the unknown type “\(found)”."
    case .tooLarge(let tensor, let dtype, let shape):
      "the size of its tensor “\(tensor)”, \(dtype.rawValue) \(shape), does not fit 64 bits."
    case .partialByte(let tensor, let dtype, let shape):
      "its tensor “\(tensor)”, \(dtype.rawValue) \(shape), does not fill its last byte."
    case .nameTaken(let name):
      "the name “\(name)” is already taken; each tensor needs a name of its own."
    default: ""
    }
  }

  private var offsetDescription: String {
    switch self {
    case .reversedOffsets(let tensor, let begin, let end):
      "its tensor “\(tensor)” begins at byte \(begin) and ends before that, at byte \(end)."
    case .wrongSize(let tensor, let dtype, let shape, let expected, let found):
      "its tensor “\(tensor)”, \(dtype.rawValue) \(shape), needs \(expected) bytes, but its offsets "
        + "give it \(found)."
    case .gap(let tensor, let expected, let begin):
      "its tensor “\(tensor)” begins at byte \(begin) of the data, but the tensors before it end at "
        + "byte \(expected); the bytes between belong to no tensor."
    case .overlap(let tensor, let previous, let end, let begin):
      "its tensor “\(tensor)” begins at byte \(begin) of the data, inside “\(previous)”, which ends at "
        + "byte \(end)."
    default: ""
    }
  }
}

extension FolderFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreadable(let error): error.description
    case .noWeights(let found): noWeightsDescription(found)
    case .ambiguous(let names):
      "Nothing says which of these files are the model: \(listed(names)). Leave one, or add the index "
        + "\(ShardedFolder.indexName)."
    case .incompleteSet(let missing):
      "The set of shards lacks \(listed(missing)); download the missing files."
    case .index(let file, let error): "The index \(file) cannot be read. \(error)"
    case .indexField(let file, let field, let expected, let found):
      "“\(field)” of the index \(file) is \(found), not \(expected)."
    case .unsafeFileName(let file, let name):
      "The index \(file) names the file “\(name)”, which is not a plain name in the same folder."
    case .missingFile(let name, let tensors):
      "The file \(name), which the index names for \(tensors) tensor\(tensors == 1 ? "" : "s"), is not "
        + "there; download it."
    case .missingTensor(let tensor, let file, nil):
      "The tensor “\(tensor)”, which the index places in \(file), is in no file."
    case .missingTensor(let tensor, let file, let actual?):
      "The tensor “\(tensor)”, which the index places in \(file), is in \(actual)."
    case .duplicateTensor(let tensor, let files):
      "The tensor “\(tensor)” is in \(files.count) files: \(listed(files))."
    case .unlistedTensors(let file, let names):
      "The index does not name \(names.count) tensor\(names.count == 1 ? "" : "s") of \(file): "
        + "\(listed(names))."
    }
  }

  private func noWeightsDescription(_ found: [String]) -> String {
    let wanted =
      "No safetensors weights are here: neither \(ShardedFolder.indexName) nor model.safetensors."
    if found.isEmpty { return wanted }
    return "\(wanted) There are weights of another kind: \(listed(found)); convert or download the "
      + "model as safetensors."
  }
}

/// Names for a sentence: all of them, unless there are so many that nobody would read them.
private func listed(_ names: [String]) -> String {
  let limit = 100
  guard names.count > limit else { return names.joined(separator: ", ") }
  return names.prefix(limit).joined(separator: ", ") + " and \(names.count - limit) more"
}
