package import Foundation

/// A mail with a plain and an HTML part that say the same (RFC 2046, section 5.1.4).
package struct MailMessage: Sendable {
    /// The bare address of the one who gets it.
    package var recipient: String
    /// One line of ASCII.
    package var subject: String
    package var plainText: String
    package var html: String
    /// What the mail was caused by; the same cause gives the same `Message-ID`, so that a mailbox sees a repetition.
    package var id: UUID
    package var date: Date

    package init(
        recipient: String, subject: String, plainText: String, html: String, id: UUID, date: Date = Date()
    ) {
        self.recipient = recipient
        self.subject = subject
        self.plainText = plainText
        self.html = html
        self.id = id
        self.date = date
    }

    /// Whether the recipient can be named in a header and in `RCPT TO` as it stands. Quoted local parts (RFC 5321, section
    /// 4.1.2) are not: nobody has one, and each is a way to break out of the brackets.
    package var isAddressable: Bool {
        let special = "<>()[]\\,;:\"".unicodeScalars
        return recipient.utf8.count <= 254 && recipient.contains("@")
            && recipient.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && !special.contains($0) }
    }
}

/// Who mails are from.
package struct MailSender: Sendable, Hashable {
    /// The bare address: the envelope's sender too, where bounces go.
    package let address: String
    /// Shown beside it; may be empty.
    package let name: String

    /// Reads `name <address>` or a bare address; `nil` when it is neither.
    package init?(_ text: String) {
        var address = text.trimmingCharacters(in: .whitespaces)
        var name = ""
        if address.hasSuffix(">"), let open = address.lastIndex(of: "<") {
            name = address[..<open].trimmingCharacters(in: .whitespaces)
            address = String(address[address.index(after: open)...].dropLast())
        }
        let isPlain = name.utf8.allSatisfy { (0x20..<0x7F).contains($0) && !Array("<>\"\\()@,;:".utf8).contains($0) }
        let probe = MailMessage(recipient: address, subject: "", plainText: "", html: "", id: UUID())
        guard probe.isAddressable, isPlain else { return nil }
        self.address = address
        self.name = name
    }

    /// As in the `From` header.
    package var header: String { name.isEmpty ? "<\(address)>" : "\(name) <\(address)>" }
}
