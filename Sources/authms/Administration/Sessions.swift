import ArgumentParser
import LocalStack
import NIOHTTP1

struct Sessions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Where a tenant's users are signed in: list, show and end sessions.",
        subcommands: [List.self, Show.self, Revoke.self], defaultSubcommand: List.self)

    static let columns: [(heading: String, name: String)] = [
        ("ID", "id"), ("USER", "user_id"), ("USERNAME", "username"), ("DEVICE", "device"), ("ADDRESS", "last_ip"),
        ("STATUS", "status"), ("LAST USED", "last_used_at"), ("EXPIRES", "expires_at"),
    ]
    static let fields = [
        "id", "user_id", "username", "roles", "status", "device", "user_agent", "ip", "last_ip", "network", "amr",
        "origin", "created_at", "last_used_at", "expires_at", "absolute_expires_at", "revoked_at", "revoked_reason",
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The sessions of a user or of the tenant, the youngest first.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "The user's id, e-mail address, username or phone number; everybody's sessions without it.")
        var user: String?
        @Flag(help: "Those that have ended, too.")
        var all = false
        @Option(help: "Opened or last refreshed from this address.")
        var ip: String?
        @Option(help: "A part of the device's name.")
        var device: String?
        @OptionGroup var part: PageOptions

        func run() async throws {
            let client = try await place.client()
            var query: [(String, String?)] = [("status", all ? "all" : nil), ("ip", ip), ("device", device)]
            if let user { query.append(("user_id", try await Users.find(user, client))) }
            let path = AdminPath.of("/admin/sessions", query + part.query)
            try await client.call(.GET, path, of: .session).printTable(
                Sessions.columns, json: place.json, nothing: "There is no such session.")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One session.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "Its id, from the list.")
        var id: String

        func run() async throws {
            let path = "/admin/sessions/\(AdminPath.segment(id))"
            try await place.client().call(.GET, path, of: .session).printFields(Sessions.fields, json: place.json)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends sessions: some, all of a user, or all of the tenant.",
            discussion: "Their access tokens are refused everywhere within two seconds.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "The sessions' ids, from the list.")
        var ids: [String] = []
        @Option(help: "All of this user: id, e-mail address, username or phone number.")
        var user: String?
        @Flag(help: "All of the tenant, yours among them; also refuses every token that was issued before.")
        var all = false

        func validate() throws {
            guard [!ids.isEmpty, user != nil, all].count(where: { $0 }) == 1 else {
                throw ValidationError("Give the ids of sessions, or --user, or --all.")
            }
        }

        func run() async throws {
            let client = try await place.client()
            let answer = try await revoke(client)
            if place.json { return try answer.printJSON() }
            let count = answer.data["revoked"] as? Int ?? 0
            Local.say(count == 1 ? "1 session has ended." : "\(count) sessions have ended.")
        }

        private func revoke(_ client: AdminClient) async throws -> AdminAnswer {
            if let user {
                return try await client.call(
                    .DELETE, "/admin/sessions/users/\(Users.find(user, client))", of: .session)
            }
            guard all else {
                return try await client.call(.POST, "/admin/sessions/bulk", of: .session, body: ["session_ids": ids])
            }
            return try await client.call(
                .POST, "/admin/tokens/revoke-all", of: .session, body: ["tenant_id": client.tenantID()])
        }
    }
}
