import Adapters
import Testing

struct AdapterTests {
  @Test func anEmptyAdapterChangesNothing() {
    #expect(Adapter(source: "nothing").changes.isEmpty)
  }
}
