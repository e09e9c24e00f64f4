import Hub
import Tensors

/// Why a conversion cannot be done, as facts with their place.
public enum ConversionError: Error, Sendable {
  case destinationNotEmpty(path: String, entries: Int)
  case interrupted
  case sizeMismatch(tensor: String, expected: Int, found: Int)
  /// Source and blueprint disagree; every disagreement is listed.
  case coverage(Coverage, in: String)
  /// Two tensors that must be equal are not.
  case unequalDuplicate(tensor: String, original: String, file: String)
  /// Tensors that are parts of one have different types.
  case mixedTypes(tensors: [String], types: [DType])
  /// A tensor that Hugging Face has not because all its values are one, and they no longer are.
  case notConstant(key: String, folder: String)
  /// Codes and scales that do not belong together.
  case badQuantisation(tensor: String, folder: String, reason: String)
  /// Quantised weights, and no word what to make of them.
  case quantised(folder: String, method: String)
  /// Quantised weights, which do not come back as they were.
  case noWayBack(folder: String, method: String)
  case notConvertible(tensor: String, from: DType, to: DType)
  case notDivisible(what: String, size: Int, by: Int, option: String)
  case missingConfiguration(folder: String)
  case badConfiguration(path: String, reason: String)
  case noWeights(folder: String)
  /// A Megatron checkpoint that does not say what model it is of, or names one that is not here.
  case noConfiguration(checkpoint: String, model: String?, reason: String? = nil)
  /// A file of tensors where a model is wanted.
  case noModel(path: String)
  case modelNotFound(reference: String, looked: [String])
  /// What is no folder here, and not to be had from the hub.
  case notFound(folder: String, HubError)
  case unreadable(path: String)
  /// No tensor of one side has the name of one of the other; an example of each.
  case nothingInCommon(String, String)
  case notYet(String)
}

extension ConversionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .destinationNotEmpty(let path, let entries):
      "\(path) exists and is not empty (\(entries) \(entries == 1 ? "entry" : "entries")). "
        + "Nothing was written; pass --overwrite to replace it, or choose another destination."
    case .interrupted:
      "Interrupted; nothing was published and what had been written was removed."
    case .sizeMismatch(let tensor, let expected, let found):
      "\(tensor) should have \(expected) bytes, but its source has \(found); "
        + "the source changed while it was read or its header is wrong."
    case .coverage(let coverage, let place):
      coverage.description(in: place)
    case .unequalDuplicate(let tensor, let original, let file):
      "\(file): \(tensor) should be the same tensor as \(original), but its values differ, so the "
        + "configuration does not describe these weights. Set tie_word_embeddings to false in "
        + "config.json if the model really has two."
    case .mixedTypes(let tensors, let types):
      "These tensors are parts of one but have different types: "
        + zip(tensors, types).map { "\($0) \($1.rawValue)" }.joined(separator: ", ")
        + ". Convert the source to one type first."
    case .notConstant(let key, let folder):
      "\(folder): \(key) holds values that were changed by training, but that the model's class has no "
        + "tensor for: it takes them to be a constant, or copies of others. An export would lose them; "
        + "--not-strict exports without."
    case .badQuantisation(let tensor, let folder, let reason):
      "\(folder): \(tensor): \(reason). Check that all files belong to this model, and that "
        + "quantization_config in config.json describes them."
    case .quantised(let folder, let method):
      "\(folder) holds weights quantised by the method \(method), and a Megatron checkpoint holds "
        + "plain numbers. Say of what type with --torch-dtype bfloat16, float16 or float32."
    case .noWayBack(let folder, let method):
      "\(folder) holds weights quantised by the method \(method), which come back as plain numbers and "
        + "not byte for byte. Import it with --torch-dtype, then use `convert compare`."
    case .notConvertible(let tensor, let from, let to):
      "\(tensor) is \(from.rawValue), which cannot be converted to \(to.rawValue)."
    case .notDivisible(let what, let size, let by, let option):
      "\(what) (\(size)) cannot be divided by \(option) \(by). Choose a divisor of it."
    case .missingConfiguration(let folder):
      "\(folder) has no config.json, so nothing says what model it holds. "
        + "Point at the model's own folder."
    case .badConfiguration(let path, let reason):
      "\(path): \(reason)"
    case .noWeights(let folder):
      "\(folder) has no safetensors weights (model.safetensors or model.safetensors.index.json). "
        + "Download them, or save the model with save_pretrained(safe_serialization=True)."
    case .noConfiguration(let checkpoint, let model, let reason):
      (model.map {
        "\(checkpoint) is of the model \($0), which is not to be had: \(reason ?? "it is not here.") "
      }
        ?? "\(checkpoint) does not say which model it is of (run_config.yaml, hf_model_id). ")
        + "Name it with --hf-model: a Hugging Face folder with its config.json is enough."
    case .noModel(let path):
      "\(path) is a file of tensors, and nothing says what model they are. "
        + "Give the folder with its config.json."
    case .modelNotFound(let reference, let looked):
      "There is no model at \(reference). Looked at: "
        + looked.joined(separator: ", ") + ". Give a folder, or a reference: \(HubReference.forms)."
    case .notFound(let folder, let error): "There is no folder \(folder). \(error)"
    case .unreadable(let path):
      "\(path) is no model, checkpoint or tensor file that is known here. Known are Hugging Face "
        + "folders, .safetensors and .pt files, Megatron run folders and iteration folders."
    case .nothingInCommon(let left, let right):
      "The two have no tensor name in common (\(left) and \(right), for example). To compare a Megatron "
        + "checkpoint with Hugging Face weights, give the Hugging Face folder with its config.json."
    case .notYet(let text):
      text
    }
  }
}

/// How the tensors of a source compare with those a blueprint asks for.
public struct Coverage: Sendable {
  public struct WrongShape: Hashable, Sendable {
    public var name: String
    public var expected: Shape
    public var found: Shape
  }

  public var missing: [String] = []
  public var extra: [String] = []
  public var wrongShape: [WrongShape] = []

  public init() {}

  public var isComplete: Bool { missing.isEmpty && extra.isEmpty && wrongShape.isEmpty }

  func description(in place: String) -> String {
    var lines = ["\(place) does not hold the tensors its configuration describes."]
    lines += missing.map { "  missing: \($0)" }
    lines += wrongShape.map {
      "  wrong shape: \($0.name), expected \($0.expected), found \($0.found)"
    }
    lines += extra.map { "  not known: \($0)" }
    lines.append(
      "Check that config.json belongs to these weights; --not-strict converts what is there.")
    return lines.joined(separator: "\n")
  }
}
