package import ConnectionKit

/// What takes mails out of the process.
package protocol MailTransport: Sendable {
    /// Returns once another party has taken responsibility for the mail: a server, or the disk.
    func send(_ message: MailMessage, deadline: Deadline) async throws(MailError)
}

/// Why a mail has not left.
package struct MailError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// There is no server to talk to, or it does not let us in: nothing of this mail is at fault.
        case unavailable
        /// The server, or we, will not take this mail; `code` is its reply's (RFC 5321, section 4.2), 0 where it is ours.
        case refused(code: Int)
    }

    package let kind: Kind
    /// For the log: never an address, never a line of the mail.
    package let description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    package var isOutage: Bool { kind == .unavailable }

    /// Whether the same mail would be refused again (RFC 5321, section 4.2.1: 5yz is permanent, 4yz passes).
    package var isPermanent: Bool {
        switch kind {
        case .unavailable: false
        case .refused(let code): code == 0 || (500..<600).contains(code)
        }
    }
}
