import Foundation
import Mail
import MicroMiddleware
import Mustache

/// What a mail is about; the raw value names its template.
package enum MailKind: String, Sendable, Hashable, CaseIterable {
    case passwordReset = "password-reset"
    case emailVerification = "email-verification"
    case emailChange = "email-change"
    case emailChanged = "email-changed"
    case passwordChanged = "password-changed"
    case newDevice = "new-device"
    case mfaChanged = "mfa-changed"
    case accountLocked = "account-locked"
    case accountUnlocked = "account-unlocked"
    case accountDeleted = "account-deleted"
    case exportReady = "export-ready"
    case alreadyRegistered = "already-registered"
    case invitation = "invitation"

    init(_ purpose: CodePurpose) {
        self =
            switch purpose {
            case .passwordReset: .passwordReset
            case .emailVerification: .emailVerification
            case .emailChange: .emailChange
            }
    }

    /// So many does one person get in an hour: what a stranger can set off must not become a flood.
    var hourlyLimit: Int {
        switch self {
        case .passwordReset, .emailVerification, .emailChange: OneTimeCodes.hourlyLimit
        case .accountLocked, .alreadyRegistered: 1
        case .newDevice, .mfaChanged, .accountUnlocked, .passwordChanged, .emailChanged, .accountDeleted, .exportReady:
            10
        // Of a tenant, not of a person: whom it invites is nobody here yet.
        case .invitation: 500
        }
    }
}

/// The texts of all mails: one Mustache file a kind, whose first line is `Subject: …` and whose paragraphs become the plain
/// part as they stand and the HTML part through `layout.html.mustache`. So both parts say the same.
///
/// No text that a user chose goes into a mail: it would be spam sent with our name.
package struct MailTemplates: Sendable {
    package struct Rendered: Sendable {
        package let subject: String
        package let plainText: String
        package let html: String
    }

    private let texts: [MailKind: MustacheTemplate]
    private let layout: MustacheTemplate

    /// Reads every template.
    /// - Throws: ``ConfigurationError`` when one is missing or malformed.
    package init(directory: String) throws {
        func read(_ name: String) throws -> MustacheTemplate {
            let path = "\(directory)/\(name).mustache"
            do {
                return try MustacheTemplate(string: try String(contentsOfFile: path, encoding: .utf8))
            } catch {
                throw ConfigurationError.unreadable(path, reason: "\(error)")
            }
        }
        layout = try read("layout.html")
        var texts: [MailKind: MustacheTemplate] = [:]
        for kind in MailKind.allCases {
            let template = try read(kind.rawValue)
            guard template.description.hasPrefix("Subject: ") else {
                throw ConfigurationError.unreadable(
                    "\(directory)/\(kind.rawValue).mustache", reason: "its first line must begin with \"Subject: \"")
            }
            texts[kind] = template
        }
        self.texts = texts
    }

    /// - Parameter values: what the templates name in `{{{…}}}`; a paragraph that is `code` alone is shown large.
    package func render(_ kind: MailKind, _ values: [String: String]) -> Rendered {
        let text = texts[kind]?.render(values) ?? ""
        var paragraphs = text.components(separatedBy: "\n\n").map {
            $0.trimmingCharacters(in: .whitespacesAndNewlines)
        }.filter { !$0.isEmpty }
        let subject = paragraphs.isEmpty ? "" : String(paragraphs.removeFirst().dropFirst("Subject: ".count))
        let context: [String: Any] = [
            "subject": subject,
            "paragraphs": paragraphs.map { ["text": $0, "code": $0 == values["code"]] as [String: Any] },
        ]
        let plain = paragraphs.map { $0 == values["code"] ? "    \($0)" : $0 }.joined(separator: "\n\n") + "\n"
        return Rendered(subject: subject, plainText: plain, html: layout.render(context))
    }
}
