import Hub
import Testing

@Suite struct HubFileTests {
  @Test func aLargeFilesBlobHasItsSHA256AsName() {
    let small = HubFile(path: "config.json", size: 1, blob: "b")
    #expect(small.etag == "b")
    #expect(HubFile(path: "model.safetensors", size: 1, blob: "b", sha256: "s").etag == "s")
  }
}
