/// The lines that people know from Automodel's logs.
public enum PlainLines {
  public static func line(_ step: StepRecord) -> String {
    [
      "step \(step.step)", "epoch \(step.epoch)", "loss \(fixed(step.loss, 4))",
      "grad_norm \(fixed(step.gradientNorm, 4))", "lr \(exponential(step.rate))",
      "mem: \(fixed(Double(step.memory) / Double(1 << 30), 2)) GiB",
      "tps \(fixed(step.tokensPerSecond, 2))",
    ].joined(separator: " | ")
  }

  public static func line(_ record: ValidationRecord) -> String {
    let name = record.name.map { " name \"\($0)\" |" } ?? ""
    return "[val]\(name) "
      + [
        "step \(record.step)", "epoch \(record.epoch)", "loss \(fixed(record.loss, 4))",
        "ppl \(fixed(record.perplexity, 4))",
      ].joined(separator: " | ")
  }

  /// A number with so many digits behind the point.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    let rest = String(scaled % Int(scale))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    let zeros = String(repeating: "0", count: decimals - rest.count)
    return "\(sign)\(scaled / Int(scale)).\(zeros)\(rest)"
  }

  /// `1.00e-05`: Python's `.2e`.
  public static func exponential(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0.00e+00" : "\(value)" }
    var mantissa = value.magnitude
    var exponent = 0
    while mantissa >= 10 {
      mantissa /= 10
      exponent += 1
    }
    while mantissa < 1 {
      mantissa *= 10
      exponent -= 1
    }
    if (mantissa * 100).rounded() >= 1000 {
      mantissa /= 10
      exponent += 1
    }
    let digits = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
    return (value < 0 ? "-" : "") + fixed(mantissa, 2) + "e" + (exponent < 0 ? "-" : "+") + digits
  }
}
