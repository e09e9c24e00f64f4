import Foundation
import Support
import Testing

@testable import Configuration

@Suite struct SectionTests {
  @Test("a misspelt key is refused with its place and the key that was meant")
  func misspelt() throws {
    try Support.withTemporaryFolder { folder in
      let file = folder.appending(path: "run.yaml")
      try Data("optimizer:\n  lr: 1\n  weight_deacy: 2\n".utf8).write(to: file)
      let top = try ConfigurationSection.load(file.path)
      let section = try #require(try top.section("optimizer"))
      #expect(try section.number("lr") == 1)
      #expect(try section.number("weight_decay") == nil)
      let error = #expect(throws: ConfigurationError.self) { try section.finish() }
      #expect(
        error?.description
          == "\(file.path):3:17: optimizer.weight_deacy: There is no such key. Did you mean optimizer.weight_decay?"
      )
    }
  }
}
