/// How samples are put into packs.
public enum PackingMethod: String, CaseIterable, Sendable {
  /// In the order they come, as Automodel does.
  case sequential
  case firstFitDecreasing = "first_fit_decreasing"
  /// As Megatron-Bridge does unless told otherwise.
  case firstFitShuffle = "first_fit_shuffle"
  case bestFit = "best_fit"
}
