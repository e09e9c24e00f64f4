import HTTP
import Testing

@Suite struct HTTPRequestTests {
  @Test func headersAreFoundInAnyCase() {
    let headers = HTTPHeaders(["X-Repo-Commit": "a", "ETag": "b", "etag": "c"])
    #expect(headers["x-repo-commit"] == "a")
    #expect(headers["Etag"] == "c")
  }
}
