import CZlib
import Foundation
import FoundationXML
import JSON
import Support
import Testing

@testable import Metrics

@Suite("The report of a run")
struct ReportTests {
  private func report(_ body: (URL, String) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      var run = try ExampleRun(in: folder)
      run.description.name = "a <b>\"run\"</b> & more"
      run.description.arguments = ["train", "finetune", "it's"]
      run.description.origins = ["optimizer.lr": "my.yaml:3"]
      var plan = WatchingPlan(folder: folder.path)
      plan.makesReport = true
      let writers = try plan.writers(for: run.description) { Issue.record("\($0)") }
      for writer in writers { try run.tell(writer, 1...4) }
      for writer in writers { try writer.finish(.finished) }
      let html = try String(contentsOf: folder.appending(path: "report.html"), encoding: .utf8)
      try body(folder, html)
    }
  }

  @Test("needs nothing from elsewhere and holds nothing that runs")
  func alone() throws {
    try report { _, html in
      for word in ["<script", "http:", "https:", "url(", "@import", "javascript", "onload"] {
        let rest = html.replacingOccurrences(of: "xmlns=\"http://www.w3.org/2000/svg\"", with: "")
        #expect(!rest.contains(word), "\(word)")
      }
    }
  }

  @Test("is well-formed, with names and values that look like markup")
  func wellFormed() throws {
    try report { folder, html in
      #expect(html.contains("a &lt;b&gt;&quot;run&quot;&lt;/b&gt; &amp; more"))
      #expect(!html.contains("<b>\""))
      for svg in [
        try String(contentsOf: folder.appending(path: "loss.svg"), encoding: .utf8),
        // But for the two tags that HTML does not close the page is XML.
        html.replacingOccurrences(
          of: "<meta [^>]*>|<!DOCTYPE html>", with: "", options: .regularExpression),
      ] {
        let checker = Checker()
        #expect(checker.accepts(svg), "\(checker.fault ?? "")")
      }
    }
  }

  @Test("tells what the run was")
  func facts() throws {
    try report { folder, html in
      for word in [
        "finished", "optimizer.lr", "my.yaml:3", "finetune", "1.2500", "the first at step 4",
      ] {
        #expect(html.contains(word), "\(word)")
      }
      // Another process can make it again from what lies in the folder.
      let description = try RunDescription(runIn: folder.path)
      #expect(
        description.configuration.map(\.key)
          == (try ExampleRun(in: folder)).description.configuration.map(\.key))
      #expect(description.start == 1795306848.25)
    }
  }

  @Test("covers all processes of a run")
  func processes() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      var plan = WatchingPlan(folder: folder.path)
      plan.makesReport = true
      for (description, steps) in [(run.description, 1...2), (run.goingOn(after: 2), 3...4)] {
        let writers = try plan.writers(for: description) { Issue.record("\($0)") }
        for writer in writers { try run.tell(writer, steps) }
        for writer in writers { try writer.finish(.stopped) }
      }
      let recorded = try RecordedRun(folder: folder.path, RunDescription(runIn: folder.path))
      #expect(recorded.steps == 4 && recorded.tokens == 4010)
      #expect(recorded.loss.points.map(\.x) == [1, 2, 3])
      #expect(recorded.description.start == run.description.start)
      #expect(recorded.bestValidation == Curve.Point(step: 2, value: 1.25))
      #expect((recorded.seconds - 2.5).magnitude < 1e-9)
    }
  }

  @Test("the picture of pixels is a PNG file with the curve in it")
  func pixels() throws {
    var curve = Curve()
    for step in 1...100 { curve.add(step, 100 - Double(step)) }
    let chart = try #require(
      LineChart("loss", [.init(points: curve.points, look: .line, colour: 1)]))
    let png = chart.png(width: 320, height: 200)
    #expect(png.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    var place = 8
    var kinds: [String] = []
    var packed: [UInt8] = []
    while place < png.count {
      let count = png[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      let body = Array(png[place + 4..<place + 8 + count])
      let sum = png[place + 8 + count..<place + 12 + count].reduce(0) { $0 << 8 | Int($1) }
      #expect(sum == Int(crc32(0, body, UInt32(body.count))))
      kinds.append(String(decoding: body.prefix(4), as: UTF8.self))
      if kinds.last == "IDAT" { packed += body.dropFirst(4) }
      place += 12 + count
    }
    #expect(kinds == ["IHDR", "IDAT", "IEND"])
    var rows = [UInt8](repeating: 0, count: (320 * 3 + 1) * 200)
    var count = uLong(rows.count)
    #expect(uncompress(&rows, &count, packed, uLong(packed.count)) == Z_OK)
    #expect(Int(count) == rows.count)
    // The line falls from the upper left to the lower right: its colour is there, and not in the other corners.
    func isLine(_ column: Int, _ row: Int) -> Bool {
      let pixel = row * 961 + 1 + column * 3
      return rows[pixel] > 180 && rows[pixel + 2] < 120
    }
    func hasLine(_ columns: Range<Int>, _ lines: Range<Int>) -> Bool {
      lines.contains { row in columns.contains { isLine($0, row) } }
    }
    #expect(hasLine(110..<130, 60..<80))
    #expect(hasLine(255..<275, 105..<126))
    #expect(!hasLine(110..<180, 100..<126))
    #expect(!hasLine(200..<280, 64..<85))
  }

  @Test("half a million steps are read and drawn in bounded memory")
  func long() throws {
    try Support.withTemporaryFolder { folder in
      var lines = ""
      for step in 1...20_000 {
        lines +=
          "{\"step\": \(step), \"loss\": \(step == 12_345 ? 99.5 : 2.0), \"tps\": 10.0, \"num_tokens_per_step\": 5}\n"
      }
      try Data(lines.utf8).write(to: folder.appending(path: "training.jsonl"))
      let run = try RecordedRun(folder: folder.path, RunDescription(name: "r", folder: folder.path))
      #expect(
        run.steps == 20_000 && run.tokens == 100_000 && (run.seconds - 10_000).magnitude < 1e-3)
      #expect(run.loss.bounds == 2...99.5)
      let written = try RunReport([run]).write(to: folder.path)
      #expect(written.count == 3)
      for path in written { #expect(try Data(contentsOf: URL(filePath: path)).count < 400_000) }
    }
  }
}

/// Foundation's XML parser as a judge.
private final class Checker: NSObject, XMLParserDelegate {
  var fault: String?

  func accepts(_ text: String) -> Bool {
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = self
    return parser.parse()
  }

  func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { fault = "\(error)" }
}
