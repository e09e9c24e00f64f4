import Foundation
import JSON
import Support
import Testing

@testable import Configuration

/// A model in the repository that lies there whole, and rows to learn from.
let demo = Support.fixtures.appending(path: "demo").path

/// The sentence of what a body throws.
func sentence(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return ""
}

/// Calls `body` with the path of a file that holds a text.
func with<Result>(
  _ text: String, named name: String = "run.yaml", _ body: (String) throws -> Result
) throws -> Result {
  try Support.withTemporaryFolder { folder in
    let file = folder.appending(path: name)
    try Data(text.utf8).write(to: file)
    return try body(file.path)
  }
}

/// The least that fine-tuning must be told.
let least = [
  "checkpoint.pretrained_checkpoint=\(demo)", "dataset.dataset_root=rows.jsonl",
  "optimizer.lr=1e-4",
  "train.train_iters=5",
]

extension RunConfiguration {
  /// The value and the origin of a key that was read.
  func value(_ key: String) -> (value: JSON, origin: Origin)? {
    effective().last { $0.key == key }.map { ($0.value, $0.origin) }
  }
}
