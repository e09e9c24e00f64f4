import Testing

@testable import Console

/// What a card tells of a command line, and what it keeps to itself.
@Suite struct CommandWordsTests {
  @Test(arguments: [
    (
      ["/opt/bin/convert", "export", "--hf-model", "org/name"], "convert export --hf-model org/name"
    ),
    (["convert", "--hf-path", "/home/me/secret/out"], "convert --hf-path out"),
    (["convert", "--hf-path=/home/me/secret/out/"], "convert --hf-path=out"),
    (
      ["convert", "--megatron-path", "/home/me/run/iter_0000500"],
      "convert --megatron-path run/iter_0000500"
    ),
    (["convert", "../../secret/out", "./near/out", "near/out"], "convert out ./near/out near/out"),
    (["convert", "--adapter", "/a/one=0.7"], "convert --adapter one=0.7"),
    (["convert", "~me/out", "a/../../b"], "convert out b"),
    (["convert", "two words", "it's"], #"convert 'two words' 'it'\''s'"#),
    (["convert", "hf://org/name@v1"], "convert hf://org/name@v1"),
    (["convert", "--x", "hf_abcdefghijABCDEFGHIJ0123456789abcd"], "convert --x TOKEN"),
    (["convert", "--x=my-secret"], "convert --x=TOKEN"),
    (["convert", "hf_model"], "convert hf_model"),
  ])
  func aCommandIsShownWithoutPlacesAndTokens(words: [String], shown: String) {
    #expect(CommandWords.shown(words, hiding: ["my-secret"]) == shown)
  }
}
