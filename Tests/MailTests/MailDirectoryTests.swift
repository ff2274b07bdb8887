import ConnectionKit
import Foundation
import Mail
import Synchronization
import TestSupport
import Testing

@Suite("Mails as files")
struct MailDirectoryTests {
    let directory: String

    init() throws {
        directory = try TestDirectory.make("mails") + "/box"
    }

    private func transport(limit: Int = 1_000) throws -> MailDirectory {
        MailDirectory(
            directory, sender: try #require(MailSender("authms <no-reply@authms.local>")), limit: limit)
    }

    private func mail(to recipient: String = "ann@example.org", text: String = "Hello.\n", at time: TimeInterval = 0)
        -> MailMessage
    {
        MailMessage(
            recipient: recipient, subject: "A subject", plainText: text, html: "<p>\(text)</p>", id: UUID(),
            date: Date(timeIntervalSince1970: time))
    }

    @Test("A mail is one complete file with both parts, dated and addressed, and reads back as it was written")
    func wholeMail() async throws {
        let text = "A line.\n\n.a dot, ümläuts, an = sign, \(String(repeating: "long ", count: 60))\n.\nend\n"
        try await transport().send(mail(text: text), deadline: .after(.seconds(5)))
        let names = MailDirectory.names(in: directory)
        let name = try #require(names.first)
        let file = try #require(MailFile(name: name, in: directory))
        #expect(names.count == 1)
        #expect(file.to == "ann@example.org")
        #expect(file.subject == "A subject")
        #expect(file.date == "Thu, 01 Jan 1970 00:00:00 +0000")
        #expect(file.text == text.trimmingCharacters(in: .newlines))
        #expect(file.source.contains("multipart/alternative") && file.source.contains("Content-Type: text/html"))
        #expect(file.source.utf8.allSatisfy { $0 < 0x80 })
    }

    /// What a mail closes is reused at once by whoever opens something: a second close or shutdown would hit a stranger.
    @Test("A mail touches no descriptor that is not its own", .timeLimit(.minutes(1)))
    func descriptors() async throws {
        let transport = try transport()
        let mail = mail()
        let sending = Task {
            for _ in 0..<200 { try await transport.send(mail, deadline: .after(.seconds(5))) }
        }
        let isDone = Mutex(false)
        async let broken = Task.detached {
            var broken = 0
            while !isDone.withLock(\.self) {
                var pairs: [[Int32]] = []
                for _ in 0..<8 {
                    var pair: [Int32] = [-1, -1]
                    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
                    pairs.append(pair)
                }
                try await Task.sleep(for: .milliseconds(1))
                for pair in pairs {
                    var byte: UInt8 = 7
                    let isWhole = send(pair[0], &byte, 1, Int32(MSG_NOSIGNAL)) == 1 && recv(pair[1], &byte, 1, 0) == 1
                    broken += isWhole ? 0 : 1
                    close(pair[0])
                    close(pair[1])
                }
            }
            return broken
        }.value
        let outcome = await sending.result
        isDone.withLock { $0 = true }
        #expect(try await broken == 0)
        try outcome.get()
    }

    @Test("The oldest files go when there are too many")
    func bounded() async throws {
        let transport = try transport(limit: 3)
        for number in 0..<4 { try await transport.send(mail(at: Double(number)), deadline: .after(.seconds(5))) }
        // Pruning has a slack of a hundred files, except at the first mail of a process.
        try await self.transport(limit: 3).send(mail(at: 4), deadline: .after(.seconds(5)))
        #expect(MailDirectory.names(in: directory).map { $0.prefix { $0 != "-" } } == ["2000", "3000", "4000"])
    }

    @Test(
        "An address that could break out of its brackets is refused before anything is sent",
        arguments: ["a>,<b@example.org", "a\r\nBcc: x@example.org", "a b@example.org", "nobody", "\"a\"@example.org"])
    func addresses(recipient: String) async throws {
        let transport = try transport()
        await #expect(throws: MailError.self) {
            try await transport.send(mail(to: recipient), deadline: .after(.seconds(5)))
        }
        #expect(MailDirectory.names(in: directory).isEmpty)
    }

    @Test("A server that is not there is an outage, not the mail's fault")
    func noServer() async throws {
        let transport = SMTPTransport(
            configuration: SMTPConfiguration(
                url: "smtp://127.0.0.1:1", startTLS: .off, sender: try #require(MailSender("a@example.org"))))
        let error = await #expect(throws: MailError.self) {
            try await transport.send(mail(), deadline: .after(.seconds(5)))
        }
        #expect(error?.isOutage == true)
    }

    @Test(
        "What a server refuses for good, or we do, is not sent again; what it refuses for now is",
        arguments: [(550, true), (554, true), (0, true), (421, false), (450, false), (452, false)])
    func permanence(code: Int, isPermanent: Bool) {
        let error = MailError(.refused(code: code), "refused")
        #expect(error.isPermanent == isPermanent && !error.isOutage)
        #expect(!MailError(.unavailable, "away").isPermanent)
    }

    @Test(
        "A sender is a bare address or one behind a plain name",
        arguments: [
            ("a@example.org", "<a@example.org>"), ("The Team <a@example.org>", "The Team <a@example.org>"),
            ("Bad\r\nX: y <a@example.org>", nil), ("nobody", nil), ("Ünïcode <a@example.org>", nil),
        ])
    func senders(text: String, header: String?) {
        #expect(MailSender(text)?.header == header)
    }
}
