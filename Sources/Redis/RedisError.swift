/// Why a Redis command gave no value.
///
/// The description names the server and the reason; it holds no key, no value and no password.
package struct RedisError: Error, Equatable, CustomStringConvertible {
    /// What happened.
    package enum Kind: Equatable, Sendable {
        /// No connection. The command was not sent, or was sent on a connection that then broke (`outcomeUnknown`).
        case unavailable(outcomeUnknown: Bool)
        /// The deadline passed before the answer came. The server may have run the command.
        case deadlineExceeded
        /// The caller's task was cancelled. The server may have run the command.
        case cancelled
        /// Too many commands wait already.
        case queueFull
        /// The server answered with an error; `code` is its first word, `WRONGTYPE` for example.
        case server(code: String, message: String)
        /// The answer was not of the shape that this command has.
        case unexpectedReply
        /// The configuration cannot be used.
        case invalidConfiguration
    }

    package let kind: Kind
    /// One sentence for the log.
    package let description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// Whether the cause is the server's absence, not the command: the caller goes on in its degraded mode.
    package var isUnavailable: Bool {
        switch kind {
        case .unavailable, .deadlineExceeded, .queueFull: true
        case .server(let code, _): ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "OOM"].contains(code)
        case .cancelled, .unexpectedReply, .invalidConfiguration: false
        }
    }
}
