import ConnectionKit
import Foundation
import HTTPTypes
import HummingbirdTesting
import MicroMiddleware
import Testing

@Suite("A request's scope")
struct RequestScopeTests {
    private static let path = "/api/v1/internal/wallets/caller"
    private static let credential: HTTPFields = [.internalCredential: "Bearer identity-credential"]

    @Test("The request id and the trace of the caller are kept and sent back")
    func kept() async throws {
        var headers = Self.credential
        headers[.requestID] = "req-42.a_b"
        headers[.traceparent] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let response = try await ServiceFixture().ask { [headers] in try await $0.ask(.get, Self.path, headers: headers)
        }
        let data = try #require(try response.object["data"] as? [String: String])
        #expect(data["request_id"] == "req-42.a_b")
        #expect(data["trace"] == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(response.headers[.requestID] == "req-42.a_b")
        let traceparent = try #require(response.headers[.traceparent])
        #expect(traceparent.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-"))
        #expect(traceparent.hasSuffix("-01"))
        #expect(!traceparent.contains("00f067aa0ba902b7"), "the span must be our own")
    }

    @Test(
        "A request id that does not belong into a log is replaced",
        arguments: ["", "a b", "x\"y", "é", String(repeating: "a", count: 129)])
    func replacedID(id: String) async throws {
        let response = try await ServiceFixture().ask {
            try await $0.ask(.get, "/api/v1/public/currencies", headers: [.requestID: id])
        }
        let answered = try #require(response.headers[.requestID])
        #expect(answered != id)
        #expect(RequestScope.isAcceptable(requestID: answered))
    }

    @Test(
        "A traceparent that is none begins a new trace",
        arguments: [
            "", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ])
    func newTrace(header: String) {
        #expect(TraceContext(traceparent: header) == nil)
    }

    @Test("Identifiers of traces do not repeat, and have the form that the standard asks for")
    func identifiers() {
        let identifiers = (0..<10_000).map { _ in TraceContext.randomHex() }
        #expect(Set(identifiers).count == identifiers.count)
        #expect(TraceContext(traceparent: TraceContext().traceparent) != nil)
    }

    @Test("A scope is capped by its own deadline and never gains time")
    func capped() {
        let scope = RequestScope(deadline: .after(.milliseconds(100)))
        #expect(scope.capped(at: .seconds(5)).deadline == scope.deadline)
        #expect(scope.capped(at: .milliseconds(1)).deadline < scope.deadline)
        #expect(scope.capped(at: .seconds(5)).requestID == scope.requestID)
    }
}
