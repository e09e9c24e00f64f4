import Console
import Dispatch
import Glibc
import Metrics
import Synchronization

/// Shows people how a run goes: a block that stays in its place on a terminal, a line every few steps elsewhere.
///
/// All of it goes to standard error, so that standard output holds results only.
final class RunView: MetricsWriter, Sendable {
  enum Style: Sendable {
    case none
    case block
    case lines
  }

  private struct State {
    var tally = RunTally()
    var validation: ValidationRecord?
    /// The widths of the block's lines as they stand on the terminal; empty where nothing stands.
    var drawn: [Int] = []
    var isOver = false
  }

  private let description: RunDescription
  private let every: Int
  private let style: Style
  private let hasColour: Bool
  private let state = Mutex(State())
  private let start = ContinuousClock.now
  private let ended = DispatchSemaphore(value: 0)
  private let done = DispatchSemaphore(value: 0)

  /// - Parameter every: steps between two lines where there is no terminal.
  init(_ description: RunDescription, every: Int, style: Style) {
    self.description = description
    self.every = max(1, every)
    self.style = style
    hasColour = Environment.hasColour(STDERR_FILENO)
    guard style == .block else { return }
    // Time goes on during a long step too, and the window may change.
    DispatchQueue(label: "view").async { [self] in
      while ended.wait(timeout: .now() + 0.5) == .timedOut {
        state.withLock { if !$0.isOver { draw(&$0) } }
      }
      done.signal()
    }
  }

  /// The style for this process's standard error; `CI` asks for lines.
  static func style(isHidden: Bool) -> Style {
    if isHidden || Environment.isSet("HF_HUB_DISABLE_PROGRESS_BARS") { return .none }
    return Environment.isTerminal(STDERR_FILENO) && !Environment.isSet("CI") ? .block : .lines
  }

  /// What the steps came to.
  var tally: RunTally { state.withLock { $0.tally } }

  func record(_ step: StepRecord) {
    state.withLock { state in
      state.tally.add(step)
      switch style {
      case .none: break
      case .block: draw(&state)
      case .lines:
        if step.step % every == 0 || step.step == description.lastStep {
          Report.write(PlainLines.line(step) + "\n", to: STDERR_FILENO)
        }
      }
    }
  }

  func record(_ validation: ValidationRecord) {
    state.withLock { state in
      state.tally.add(validation)
      state.validation = validation
    }
    if style != .none { say(PlainLines.line(validation)) }
  }

  func finish(_ outcome: RunOutcome) {
    let wasOver = state.withLock { state in
      defer { state.isOver = true }
      if !state.drawn.isEmpty {
        Report.write(Self.erasing(&state.drawn, width: width), to: STDERR_FILENO)
      }
      return state.isOver
    }
    guard style == .block, !wasOver else { return }
    ended.signal()
    done.wait()
  }

  /// Writes a line that stays, above the block.
  func say(_ text: String) {
    state.withLock { state in
      let erasing = Self.erasing(&state.drawn, width: width)
      Report.write(erasing + text + "\n", to: STDERR_FILENO)
      if style == .block, !state.isOver { draw(&state) }
    }
  }

  private var width: Int { Environment.terminalWidth(STDERR_FILENO) }

  private func draw(_ state: inout State) {
    let width = width
    let (whole, rest) = (ContinuousClock.now - start).components
    let block = LiveBlock(
      tally: state.tally, description: description, seconds: Double(whole) + Double(rest) * 1e-18,
      validation: state.validation, hasColour: false)
    // The last column stays free: writing there makes some terminals begin a new line.
    let plain = block.lines(width: width - 1)
    let coloured = LiveBlock(
      tally: block.tally, description: description, seconds: block.seconds,
      validation: block.validation, hasColour: hasColour)
    let lines = hasColour ? coloured.lines(width: width - 1) : plain
    Report.write(
      Self.erasing(&state.drawn, width: width) + lines.joined(separator: "\n"), to: STDERR_FILENO)
    state.drawn = plain.map(\.count)
  }

  /// What takes away the lines that stand on the terminal, even where it has become narrower since and they are broken.
  static func erasing(_ drawn: inout [Int], width: Int) -> String {
    guard !drawn.isEmpty else { return "" }
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + width - 1) / max(1, width)) }
    drawn = []
    return "\r" + (rows > 1 ? "\u{1B}[\(rows - 1)A" : "") + "\u{1B}[J"
  }
}
