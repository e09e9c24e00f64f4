import Data
import Engine

extension Batch {
  /// Samples one behind the other, each a sequence of its own: what a model goes through in one step.
  ///
  /// A sample's last token is only predicted, so that its sequence is one shorter. Nothing is filled up: `starts`
  /// tells the sequences apart (cu_seqlens), and attention does not look from one into another.
  /// Samples of fewer than two tokens are left out.
  public init(_ samples: some Sequence<Sample>) {
    var tokens: [Int32] = []
    var labels: [Int32] = []
    var starts = [0]
    for sample in samples where sample.count > 1 {
      tokens += sample.tokens.dropLast()
      labels += zip(sample.tokens, sample.trained).dropFirst().map { $1 ? $0 : -1 }
      starts.append(tokens.count)
    }
    self.init(tokens: tokens, labels: labels, starts: starts)
  }
}
