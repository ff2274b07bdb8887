import ArgumentParser
import Foundation
import IdentityService
import LocalStack
import NIOHTTP1

struct Users: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The users of a tenant: find, make, change, disable and delete them.",
        subcommands: [
            List.self, Show.self, Create.self, Disable.self, Enable.self, ResetPassword.self, Approve.self, Delete.self,
        ], defaultSubcommand: List.self)

    static let columns: [(heading: String, name: String)] = [
        ("ID", "id"), ("E-MAIL", "email"), ("USERNAME", "username"), ("NAME", "name"), ("STATUS", "status"),
        ("MEMBERSHIP", "membership_status"), ("ROLES", "roles"), ("LAST LOGIN", "last_login_at"),
    ]
    static let fields = [
        "id", "email", "username", "phone", "name", "status", "membership_status", "is_guest", "roles", "permissions",
        "created_at", "last_login_at",
    ]

    /// Which user is meant, by id or by a whole name: a mere beginning would have a command change somebody else.
    static func find(_ text: String, _ client: AdminClient) async throws -> String {
        if let id = UUID(uuidString: text) { return id.uuidString.lowercased() }
        let key = Identifier.guess(text).key
        // Held against the answer as well: an identity service of a version before knows no such filter.
        let answer = try await client.call(.GET, AdminPath.of("/admin/users", [("identity", text)]))
        let found = answer.items.filter { user in
            ["email", "username", "phone"].contains { name in
                (user[name] as? String).map { Identifier.guess($0).key == key } ?? false
            }
        }
        guard let id = found.first?["id"] as? String else {
            throw LocalStackError(.refused, "There is no user \(text).\(try await hint(text, client))")
        }
        guard found.count == 1 else {
            throw LocalStackError(
                .refused, "\(text) is a member and a guest: say which by id; `authms users list \(text)` shows both.")
        }
        return id
    }

    private static func hint(_ text: String, _ client: AdminClient) async throws -> String {
        guard text.count <= 100 else { return "" }
        let similar = try await client.call(.GET, AdminPath.of("/admin/users", [("q", text), ("page_size", "1")])).items
        return similar.isEmpty ? "" : " `authms users list \(text)` shows those whose names begin like that."
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The members of a tenant, the newest first.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "The beginning of an e-mail address, username, phone number or name.")
        var text: String?
        @Option(help: "active, disabled or pending.")
        var status: String?
        @Option(help: "Who holds this role.")
        var role: String?
        @OptionGroup var part: PageOptions

        func run() async throws {
            let query = [("q", text), ("status", status), ("role", role)] + part.query
            let answer = try await place.client().call(.GET, AdminPath.of("/admin/users", query))
            try answer.printTable(Users.columns, json: place.json, nothing: "There is no such user.")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One user.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(.GET, "/admin/users/\(who.id(client))")
            try answer.printFields(Users.fields, json: place.json)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes an account, with a password that must be changed at the first login.")

        @OptionGroup var place: AdminPlace
        @Option var email: String?
        @Option var username: String?
        @Option var phone: String?
        @Option var name: String?
        @Option(help: "A role besides member. May be given several times.")
        var role: [String] = []

        func validate() throws {
            guard email != nil || username != nil || phone != nil else {
                throw ValidationError("--email, --username or --phone is needed.")
            }
        }

        func run() async throws {
            let body = Body(email: email, username: username, phone: phone, name: name, roles: role)
            let answer = try await place.client().call(.POST, "/admin/users", body: body)
            try answer.printFields(["user_id", "one_time_password"], json: place.json)
        }

        private struct Body: Encodable {
            let email: String?
            let username: String?
            let phone: String?
            let name: String?
            let roles: [String]
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps somebody out: every session ends at once. A guest is shut out of this tenant alone.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName

        func run() async throws { try await Users.set("disabled", who, place) }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets somebody in again.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName

        func run() async throws { try await Users.set("active", who, place) }
    }

    static func set(_ status: String, _ who: UserName, _ place: AdminPlace) async throws {
        let client = try await place.client()
        let answer = try await client.call(
            .PUT, "/admin/users/\(who.id(client))/status", body: ["status": status])
        try answer.printFields(["id", "email", "username", "status", "membership_status"], json: place.json)
    }

    struct ResetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives somebody a password for one login, and ends every session of theirs.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(.POST, "/admin/users/\(who.id(client))/password-resets")
            try answer.printFields(["one_time_password"], json: place.json)
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets somebody in who waits for approval.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName

        func run() async throws {
            let client = try await place.client()
            _ = try await client.call(.POST, "/admin/users/\(who.id(client))/approval")
            Local.say("\(who.user) is a member.")
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Deletes an account, or ends a guest's membership.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var who: UserName
        @Flag(help: "Yes, delete.")
        var yes = false

        func validate() throws {
            guard yes else { throw ValidationError("This cannot be undone: say --yes.") }
        }

        func run() async throws {
            let client = try await place.client()
            _ = try await client.call(.DELETE, "/admin/users/\(who.id(client))")
            Local.say("\(who.user) is deleted.")
        }
    }
}
