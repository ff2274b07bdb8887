package import ConnectionKit
import Foundation

/// Mails as files, for a machine without a mail server: `{time}-{id}.eml`, each complete or not there.
///
/// They are what a server would have got: libcurl speaks SMTP over a Unix socket to the receiving end in ``SMTPSink``.
package actor MailDirectory: MailTransport {
    private let executor = ThreadExecutor(name: "mail-files")
    private let directory: String
    private let sender: MailSender
    /// More than so many, and the oldest go.
    private let limit: Int
    private var kept: Int?

    package init(_ directory: String, sender: MailSender, limit: Int = 1_000) {
        self.directory = directory
        self.sender = sender
        self.limit = limit
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package func send(_ message: MailMessage, deadline: Deadline) throws(MailError) {
        let path = try prepare(message)
        let sink = try SMTPSink { bytes in
            // Never a half-written file under the final name.
            try Data(bytes).write(to: URL(filePath: path + ".part"))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + ".part")
            guard rename(path + ".part", path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        }
        sink.start()
        defer { sink.stop() }
        let configuration = SMTPConfiguration(url: "smtp://127.0.0.1:25", startTLS: .off, sender: sender)
        try CurlMail().send(
            message, by: configuration, socketPath: sink.path, deadline: deadline.capped(at: .seconds(5)))
        kept = kept.map { $0 + 1 }
        prune()
    }

    private func prepare(_ message: MailMessage) throws(MailError) -> String {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw MailError(.unavailable, "the directory for mails cannot be made: \(error)")
        }
        let milliseconds = Int64(message.date.timeIntervalSince1970 * 1_000)
        return "\(directory)/\(milliseconds)-\(message.id.uuidString.lowercased()).eml"
    }

    private func prune() {
        if let kept, kept <= limit + 100 { return }
        let names = Self.names(in: directory)
        for name in names.dropLast(limit) { try? FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
        kept = min(names.count, limit)
    }

    /// The files' names, the oldest first.
    package static func names(in directory: String) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return all.filter { $0.hasSuffix(".eml") }.sorted()
    }
}
