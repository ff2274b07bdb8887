package import ConnectionKit
import Foundation

/// Mails over SMTP (RFC 5321), one after the other over one connection, on a thread of its own.
package actor SMTPTransport: MailTransport {
    private let executor = ThreadExecutor(name: "smtp")
    private let configuration: SMTPConfiguration
    private var curl: CurlMail?

    package init(configuration: SMTPConfiguration) {
        self.configuration = configuration
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package func send(_ message: MailMessage, deadline: Deadline) throws(MailError) {
        guard !deadline.hasPassed else { throw MailError(.unavailable, "no time is left to send a mail") }
        let curl: CurlMail
        if let kept = self.curl { curl = kept } else { curl = try CurlMail() }
        self.curl = curl
        do throws(MailError) {
            try curl.send(message, by: configuration, deadline: deadline)
        } catch {
            // The next mail begins with a new connection.
            self.curl = nil
            throw error
        }
    }
}
