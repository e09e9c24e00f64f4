import Foundation
import JSON
import Support
import Testing

@testable import Data

/// Writes bytes into a folder and gives the path.
func write(_ bytes: [UInt8], _ name: String, in folder: URL) throws -> String {
  let url = folder.appending(path: name)
  try Foundation.Data(bytes).write(to: url)
  return url.path
}

func write(_ text: String, _ name: String, in folder: URL) throws -> String {
  try write(Array(text.utf8), name, in: folder)
}

/// The sentence of the error that `body` throws; `nil` if it throws none.
func sentence(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch { return "\(error)" }
}

/// All rows of a file, read in one go.
private func texts(_ path: String, _ limits: ReadingLimits = ReadingLimits()) throws -> [RowText] {
  let scanner = try RowScanner(path, limits)
  var rows: [RowText] = []
  while let row = try scanner.next() { rows.append(row) }
  return rows
}

private let folder = Support.fixtures.appending(path: "rows")

@Suite struct ReadingTests {
  /// The rows as `rows.jsonl` has them, a line each.
  private func lines() throws -> [[UInt8]] {
    try Foundation.Data(contentsOf: folder.appending(path: "rows.jsonl"))
      .split(separator: ASCII.newline).map { Array($0) }
  }

  @Test(
    "lines come out as they lie", arguments: ["rows.jsonl", "members.jsonl.gz", "frames.jsonl.zst"])
  func containers(name: String) throws {
    let rows = try texts(folder.appending(path: name).path)
    #expect(rows.map(\.bytes) == (try lines()))
    #expect(rows.map(\.line) == Array(1...12))
    // At any place, and in any order.
    let file = try RowFile(folder.appending(path: name).path)
    for index in (0..<12).reversed() { #expect(try file.bytes(index) == lines()[index]) }
    #expect(file.isCompressed == (name != "rows.jsonl"))
  }

  @Test("a compressed file is told by its first bytes, whatever it is called")
  func namesLie() throws {
    try Support.withTemporaryFolder { temporary in
      for name in ["members.jsonl.gz", "frames.jsonl.zst"] {
        let bytes = try Foundation.Data(contentsOf: folder.appending(path: name))
        let path = try write(Array(bytes), "rows.jsonl", in: temporary)
        #expect(try RowFile(path).count == 12)
      }
    }
  }

  @Test("the elements of an array are the rows, with the lines they begin on")
  func array() throws {
    let path = folder.appending(path: "array.json").path
    let rows = try texts(path)
    let expected = try lines().map { try JSON(parsing: $0) }
    #expect(try rows.map { try JSON(parsing: $0.bytes) } == expected)
    #expect(rows.map(\.line) == (0..<12).map { 2 + 4 * $0 })
    let file = try RowFile(path)
    #expect(try JSON(parsing: file.bytes(7)) == expected[7])
  }

  @Test("a row has its place, also behind other lines and blank ones")
  func places() throws {
    try Support.withTemporaryFolder { temporary in
      let path = try write(
        "\n{\"text\":\"a\"}\r\n  \n{\"text\":\"b\", \"x\" 1}\n", "r.jsonl", in: temporary)
      let rows = try Rows([try write("\n{\"text\":\"a\"}\r\n  \n", "good.jsonl", in: temporary)])
      #expect(try rows.place(0) == Place(file: rows.paths[0], line: 2))
      #expect(
        sentence { _ = try Rows([path]) }
          == "\(path):4:18: the JSON is wrong: a colon is expected, “1” is found.")
    }
  }

  @Test(
    "every cut of a compressed file is refused, or gives rows that were whole",
    arguments: ["members.jsonl.gz", "frames.jsonl.zst"])
  func cuts(name: String) throws {
    let whole = Array(try Foundation.Data(contentsOf: folder.appending(path: name)))
    try Support.withTemporaryFolder { temporary in
      var refused = 0
      for count in stride(from: 5, to: whole.count, by: 3) {
        let path = try write(Array(whole[..<count]), "cut", in: temporary)
        let said = sentence { _ = try texts(path) }
        if let said {
          refused += 1
          #expect(said.contains("cut short") || said.contains("damaged"), "\(said)")
        }
      }
      // Only between two members, or two frames, is a cut no fault.
      #expect(refused >= (whole.count - 5) / 3 - 3)
    }
  }

  @Test("what follows a compressed file and is none is damage; zeros behind gzip are padding")
  func trailing() throws {
    let gzip = Array(try Foundation.Data(contentsOf: folder.appending(path: "members.jsonl.gz")))
    let zstd = Array(try Foundation.Data(contentsOf: folder.appending(path: "frames.jsonl.zst")))
    try Support.withTemporaryFolder { temporary in
      #expect(try texts(write(gzip + [0, 0, 0], "padded", in: temporary)).count == 12)
      for bytes in [gzip + [1, 2, 3], zstd + [1, 2, 3, 4, 5]] {
        let path = try write(bytes, "trailing", in: temporary)
        #expect(sentence { _ = try texts(path) }?.contains("damaged") == true)
      }
    }
  }

  @Test("a row beyond the limit is refused with its line and the name of the limit")
  func longRows() throws {
    let limits = ReadingLimits(row: 2_000_000)
    let long = "{\"text\":\"" + String(repeating: "x", count: 2_000_000) + "\"}"
    try Support.withTemporaryFolder { temporary in
      for (name, text, line) in [
        ("a.jsonl", "{\"text\":\"a\"}\n\(long)\n", 2), ("first.jsonl", long + "\n", 1),
        ("b.json", "[{\"text\":\"a\"},\n\(long)]", 2), ("c.txt", "a\n\n\(long)", 3),
      ] {
        let path = try write(text, name, in: temporary)
        let said = sentence { _ = try texts(path, limits) }
        #expect(
          said == "\(path):\(line): the row is longer than 2000000 bytes, the limit of a row. "
            + "Split it, or allow more with --max-row.")
        #expect(try texts(path, ReadingLimits(row: 2_100_000)).isEmpty == false)
      }
    }
  }

  @Test("text that is not UTF-8, or half of a pair of surrogates, is refused with line and column")
  func badText() throws {
    try Support.withTemporaryFolder { temporary in
      let plain = try write(
        Array("good\nbad ä ".utf8) + [0xC3, 0x28, ASCII.newline], "t.txt", in: temporary)
      #expect(
        sentence { _ = try Rows([plain]).example(1) }
          == "\(plain):2:8: the text is not UTF-8. Save it as UTF-8.")
      let json = try write(
        Array("{\"text\":\"a\"}\n{\"text\":\"".utf8) + [0xFF] + Array("\"}".utf8), "t.jsonl",
        in: temporary)
      #expect(
        sentence { _ = try Rows([json]) }
          == "\(json):2:10: the text is not UTF-8. Save it as UTF-8.")
      let lone = try write("{\"text\":\"\\ud83d!\"}", "s.jsonl", in: temporary)
      #expect(
        sentence { _ = try Rows([lone]) }?.contains(
          "\(lone):1:10: the \\u escape is half of a surrogate pair") == true)
    }
  }

  @Test(
    "what holds no rows is refused with what it is",
    arguments: [
      ("PAR1....", "read_parquet"), ("ARROW1..", "read_feather"), ("hello", ".txt"),
      ("", "holds no rows"),
      ("  \n ", "holds no rows"), ("[]", "holds no rows"), ("[1]", "a row is a JSON object"),
      ("[{\"text\":\"a\"},]", "a row is expected"),
      ("[{\"text\":\"a\"} ", "a comma or a closing bracket"),
      ("[{\"text\":\"a\"}] x", "the end of the file"),
      ("{\"a\":1}", "no kind of row has the keys a"),
    ])
  func noRows(text: String, said: String) throws {
    try Support.withTemporaryFolder { temporary in
      let path = try write(text, "f.jsonl", in: temporary)
      let found = sentence { _ = try Rows([path]) }
      #expect(found?.contains(said) == true, "\(found ?? "nothing")")
    }
  }

  @Test("a folder gives the files of a split under each program's names")
  func folders() throws {
    try Support.withTemporaryFolder { temporary in
      let row = "{\"text\":\"a\"}\n"
      for name in ["training.jsonl", "valid.jsonl.gz", "dev-v1.1.json", "README.md"] {
        _ = try write(row, name, in: temporary)
      }
      func found(_ split: String) throws -> [String] {
        try DataFiles([temporary.path], split: split).paths.map {
          URL(filePath: $0).lastPathComponent
        }
      }
      #expect(try found("train") == ["training.jsonl"])
      #expect(try found("validation") == ["valid.jsonl.gz"])
      #expect(sentence { _ = try found("test") }?.contains("no file of the split test") == true)
      _ = try write(row, "train.jsonl", in: temporary)
      #expect(sentence { _ = try found("train") }?.contains("more than once") == true)
      #expect(try DataFiles([temporary.path + "/train*.jsonl"]).paths.count == 2)
      #expect(sentence { _ = try DataFiles(["org/name"]) }?.contains("are not downloaded") == true)
    }
  }

  @Test("an entry of dataset_info.json names columns and speakers")
  func registered() throws {
    try Support.withTemporaryFolder { temporary in
      _ = try write(
        """
        {"a": {"file_name": "a.json", "columns": {"prompt": "q", "query": "more", "response": "r"}},
         "b": {"file_name": "b.jsonl", "formatting": "sharegpt", "columns": {"messages": "chat"},
               "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "u", "assistant_tag": "a"}}}
        """, "dataset_info.json", in: temporary)
      _ = try write("[{\"q\":\"ask\",\"more\":\"in\",\"r\":\"out\"}]", "a.json", in: temporary)
      _ = try write(
        "{\"chat\":[{\"role\":\"u\",\"content\":\"hi\"},{\"role\":\"a\",\"content\":\"yo\"}]}",
        "b.jsonl", in: temporary)
      let first = try DataFiles([temporary.path], dataset: "a")
      #expect(
        try Rows(first.paths, columns: first.columns).example(0)
          == .instruction(
            Instruction(system: nil, history: [], instruction: "ask", input: "in", answer: "out")))
      let second = try DataFiles([temporary.path], dataset: "b")
      guard
        case .conversation(let talk) = try Rows(second.paths, columns: second.columns).example(0)
      else {
        Issue.record("no conversation")
        return
      }
      #expect(talk.messages.map { $0["role"]?.string } == ["user", "assistant"])
      #expect(
        sentence { _ = try DataFiles([temporary.path]) }?.contains("say which with --dataset")
          == true)
    }
  }
}
