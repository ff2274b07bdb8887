import Foundation

/// A mail that ``MailDirectory`` has kept, read back as far as a person needs it. It reads what libcurl writes, not every
/// mail that there can be.
package struct MailFile: Encodable, Sendable {
    /// The id of the event that called for it.
    package let id: String
    package let date: String
    package let to: String
    package let subject: String
    /// The plain part.
    package let text: String
    /// The whole file.
    package let source: String

    private enum CodingKeys: String, CodingKey {
        case id, date, to, subject, text
    }

    /// `nil` when the file is gone or is no such mail.
    package init?(name: String, in directory: String) {
        guard let data = FileManager.default.contents(atPath: "\(directory)/\(name)"), name.hasSuffix(".eml") else {
            return nil
        }
        self.init(name: name, source: String(decoding: data, as: UTF8.self))
    }

    package init?(name: String, source: String) {
        let lines = source.replacing("\r\n", with: "\n").components(separatedBy: "\n")
        func header(_ name: String) -> String? {
            lines.prefix { !$0.isEmpty }.first { $0.hasPrefix("\(name): ") }.map {
                String($0.dropFirst(name.count + 2))
            }
        }
        guard let date = header("Date"), let to = header("To"), let subject = header("Subject") else { return nil }
        id = name.dropLast(".eml".count).split(separator: "-", maxSplits: 1).last.map(String.init) ?? name
        self.date = date
        self.to = to.trimmingCharacters(in: CharacterSet(charactersIn: "<>"))
        self.subject = subject
        self.source = source
        text = Self.plainPart(lines)
    }

    /// The lines between the empty one behind `Content-Type: text/plain` and the next boundary, decoded.
    private static func plainPart(_ lines: [String]) -> String {
        guard let type = lines.firstIndex(where: { $0.hasPrefix("Content-Type: text/plain") }),
            let start = lines[type...].firstIndex(of: "")
        else { return "" }
        let body = lines[(start + 1)...].prefix { !$0.hasPrefix("--") }
        return decodeQuotedPrintable(body.joined(separator: "\n")).trimmingCharacters(in: .newlines)
    }

    /// RFC 2045, section 6.7.
    static func decodeQuotedPrintable(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.replacing("=\n", with: "").utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "="), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
