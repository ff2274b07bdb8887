import ArgumentParser
import Foundation
import LocalStack
import Mail

struct MailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mail", abstract: "The mails of the private stack, which has no mail server: the newest first.",
        subcommands: [List.self, Show.self], defaultSubcommand: List.self)

    static func directory() throws -> String { try Local.layout().mailDirectory }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Who got what, the newest first.")

        @Option(help: "Those to this address alone.")
        var to: String?
        @Option(help: "How many at most.")
        var limit = 20
        @Flag(help: "Prints them as JSON, with their texts.")
        var json = false

        func run() throws {
            let directory = try MailCommand.directory()
            var mails: [MailFile] = []
            for name in MailDirectory.names(in: directory).reversed() where mails.count < limit {
                guard let mail = MailFile(name: name, in: directory) else { continue }
                if to.map({ $0.lowercased() == mail.to.lowercased() }) ?? true { mails.append(mail) }
            }
            if json { return try DeadLetters.printJSON(mails) }
            guard !mails.isEmpty else { return Local.say("No mail has been sent yet.") }
            for mail in mails {
                Local.say("\(mail.id)  \(mail.date)  \(mail.to)")
                Local.say("    \(mail.subject)")
            }
            Local.say("authms mail show [ID] shows the newest, or one of them.")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One mail; the newest where no id is given.")

        @Argument(help: "Its id, from the list.")
        var id: String?
        @Option(help: "The newest to this address.")
        var to: String?
        @Flag(help: "Prints it as JSON.")
        var json = false
        @Flag(help: "Prints the file as it is.")
        var raw = false

        func run() throws {
            let directory = try MailCommand.directory()
            let mail = MailDirectory.names(in: directory).reversed().lazy
                .compactMap { MailFile(name: $0, in: directory) }
                .first { mail in
                    (id ?? mail.id) == mail.id && (to ?? mail.to).lowercased() == mail.to.lowercased()
                }
            guard let mail else { throw LocalStackError(.refused, "There is no such mail. See authms mail list.") }
            if raw { return Local.say(mail.source) }
            if json { return try DeadLetters.printJSON(mail) }
            Local.say("Date:    \(mail.date)\nTo:      \(mail.to)\nSubject: \(mail.subject)\n\n\(mail.text)")
        }
    }
}
