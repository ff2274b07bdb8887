import ArgumentParser
import LocalStack
import NIOHTTP1

struct MFA: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Second factors: what somebody has, and a new start for who has lost them all.",
        subcommands: [Status.self, Reset.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What a user has set up.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(.GET, "/admin/mfa/users/\(who.id(client))", of: .mfa)
            if place.json { return try answer.printJSON() }
            let methods = answer.data["methods"] as? [[String: Any]] ?? []
            guard !methods.isEmpty else { return Local.say("\(who.user) has no second factor.") }
            var table = TextTable(headings: ["TYPE", "NAME", "SINCE", "LAST USED"])
            table.rows = methods.map { method in
                ["type", "name", "created_at", "last_used_at"].map { TextTable.cell(method[$0]) }
            }
            for line in table.lines { Local.say(line) }
            Local.say("\(TextTable.cell(answer.data["backup_codes_remaining"])) recovery codes are left.")
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes all of a user's second factors away; the user is told by mail, the audit trail why.",
            discussion: "The next login takes the password alone, unless the tenant requires a second factor.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName
        @Option(help: "Why, for the audit trail.")
        var reason: String

        func validate() throws {
            guard (3...500).contains(reason.count) else {
                throw ValidationError("--reason must have 3 to 500 characters.")
            }
        }

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(
                .POST, "/admin/mfa/reset/\(who.id(client))", of: .mfa, body: ["reason": reason])
            if place.json { return try answer.printJSON() }
            Local.say("\(who.user) has no second factor any more, and is told so by mail.")
        }
    }
}
