import Dispatch
import Gateway
import Logging
import ServiceLifecycle
import Testing

@Suite("Documents of the API, put together beside the start")
struct DocumentShelfTests {
    @Test("a document that is being put together is answered with 503 and Retry-After, then as it is")
    func preparing() async throws {
        let gate = DispatchSemaphore(value: 0)
        let shelf = DocumentShelf(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) {
            gate.wait()
            return GatewayDocuments()
        }
        let work = Task { try await shelf.run() }
        defer { work.cancel() }
        try await GatewayFixture.run(documents: shelf) { fixture in
            let early = try await fixture.get("/docs/openapi.json", token: nil)
            #expect(early.hasPrefix("HTTP/1.1 503 "))
            #expect(early.contains("Retry-After: "))
            #expect(try await fixture.get("/livez", token: nil).hasPrefix("HTTP/1.1 200 "))
            gate.signal()
            var later = early
            for _ in 0..<500 where later.hasPrefix("HTTP/1.1 503 ") {
                later = try await fixture.get("/docs/openapi.json", token: nil)
            }
            #expect(later.hasPrefix("HTTP/1.1 404 "), "there is none in an empty shelf")
        }
    }
}
