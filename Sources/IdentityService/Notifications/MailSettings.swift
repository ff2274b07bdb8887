import ConnectionKit
import Foundation
package import Logging
package import Mail
package import MicroMiddleware

/// Where mails go, by configuration: a server, a directory, or nowhere.
package struct MailSettings: Sendable {
    package let transport: any MailTransport
    package let templates: MailTemplates

    package init(settings: ServiceSettings, logger: Logger) throws {
        templates = try MailTemplates(directory: try settings.value(.mailTemplates))
        let sender = try settings.value(.mailFrom)
        if let url = try settings.valueIfPresent(.smtpURL) {
            transport = SMTPTransport(
                configuration: SMTPConfiguration(
                    url: url, username: try settings.valueIfPresent(.smtpUsername),
                    password: try settings.valueIfPresent(.smtpPassword)?.reveal(),
                    startTLS: SMTPConfiguration.StartTLS(rawValue: try settings.value(.smtpStartTLS)) ?? .required,
                    caFile: try settings.valueIfPresent(.smtpCAFile), helloName: try settings.value(.smtpHelloName),
                    sender: sender))
        } else if let directory = try settings.valueIfPresent(.mailDirectory) {
            transport = MailDirectory(directory, sender: sender)
        } else {
            logger.warning(
                "neither smtp.url nor mail.directory is set: no mail is sent, so nobody can reset a password")
            transport = NoMail()
        }
    }

    static let keys: [ConfigurationKeySummary] = [
        ConfigurationKey<String>.smtpURL.summary, ConfigurationKey<String>.smtpUsername.summary,
        ConfigurationKey<Secret<String>>.smtpPassword.summary, ConfigurationKey<String>.smtpStartTLS.summary,
        ConfigurationKey<String>.smtpCAFile.summary, ConfigurationKey<String>.smtpHelloName.summary,
        ConfigurationKey<String>.mailDirectory.summary, ConfigurationKey<String>.mailTemplates.summary,
        ConfigurationKey<MailSender>.mailFrom.summary,
    ]
}

/// Takes mails and drops them: for an installation that has none.
private struct NoMail: MailTransport {
    func send(_ message: MailMessage, deadline: Deadline) throws(MailError) {}
}

extension ConfigurationKey<String> {
    static let smtpURL = ConfigurationKey(
        "smtp.url", type: "smtp://host:port or smtps://host:port", default: nil,
        "The mail server. Without it mails are files in mail.directory.", render: { $0 },
        parse: { text in
            let text = text.hasSuffix("/") ? String(text.dropLast()) : text
            guard text.hasPrefix("smtp://") || text.hasPrefix("smtps://"), let parts = URLComponents(string: text),
                parts.host?.isEmpty == false, parts.path.isEmpty, parts.user == nil
            else { return nil }
            return text
        })
    static let smtpUsername = string("smtp.username", "The user name for AUTH; without it there is no AUTH.")
    static let smtpStartTLS = oneOf(
        "smtp.starttls", SMTPConfiguration.StartTLS.allCases.map(\.rawValue), default: "required",
        "Whether smtp:// must turn to TLS before anything else is said.")
    static let smtpCAFile = string("smtp.ca_file", "PEM certificates to trust instead of the system's.")
    static let smtpHelloName = string("smtp.hello_name", default: "authms", "What we call ourselves in EHLO.")
    static let mailDirectory = string(
        "mail.directory", "Where mails are kept as .eml files when there is no smtp.url; the newest 1000 stay.")
    static let mailTemplates = string("mail.templates", default: "configs/mail", "The texts of the mails, in Mustache.")
}

extension ConfigurationKey<Secret<String>> {
    static let smtpPassword = secret("smtp.password", "The password for AUTH.")
}

extension ConfigurationKey<MailSender> {
    static let mailFrom = ConfigurationKey(
        "mail.from", type: "name <address>, in ASCII", default: MailSender("authms <no-reply@authms.local>"),
        "Who mails are from.", render: { $0.header }, parse: { MailSender($0) })
}
