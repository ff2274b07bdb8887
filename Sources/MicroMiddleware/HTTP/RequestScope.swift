package import ConnectionKit

/// What a request carries from service to service: who it is in the logs, and how long it may still take.
package struct RequestScope: Sendable {
    /// Kept from the caller or made here; in every log line and every error.
    package let requestID: String
    package let trace: TraceContext
    /// By then the answer must have left; each call on the way gets what remains.
    package let deadline: Deadline

    package init(requestID: String, trace: TraceContext, deadline: Deadline) {
        self.requestID = requestID
        self.trace = trace
        self.deadline = deadline
    }

    /// The scope of work that no request asked for: a background task, a test.
    package init(deadline: Deadline) {
        let trace = TraceContext()
        self.init(requestID: trace.traceID, trace: trace, deadline: deadline)
    }

    /// The same request with less time: what one call on its way may take.
    package func capped(at duration: Duration) -> RequestScope {
        RequestScope(requestID: requestID, trace: trace, deadline: deadline.capped(at: duration))
    }

    /// Whether a caller's request id is one that may go into our logs: 1 to 128 of letters, digits, `.`, `_`, `-`.
    package static func isAcceptable(requestID: String) -> Bool {
        let bytes = requestID.utf8
        return (1...128).contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
