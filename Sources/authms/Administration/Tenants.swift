import ArgumentParser
import LocalStack
import NIOHTTP1

struct Tenants: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tenants: make one, suspend one, change its policies, invite people.",
        subcommands: [List.self, Show.self, Create.self, Set.self, Suspend.self, Resume.self, Invite.self],
        defaultSubcommand: List.self)

    static let fields = [
        "id", "slug", "name", "display_name", "status", "membership", "login_methods", "password_policy",
        "session_policy", "registration_discloses", "requires_verified_email", "new_device_mail",
        "owner_invitation_code",
    ]

    /// Which tenant is meant, by id or slug.
    static func find(_ text: String, _ client: AdminClient) async throws -> String {
        for page in 1...50 {
            let answer = try await client.call(.GET, "/admin/tenants?page_size=200&page=\(page)")
            let match = answer.items.first { $0["id"] as? String == text.lowercased() || $0["slug"] as? String == text }
            if let id = match?["id"] as? String { return id }
            if answer.items.count < 200 { break }
        }
        throw LocalStackError(.refused, "There is no tenant \(text). See authms tenants list.")
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Every tenant, by slug.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var part: PageOptions

        func run() async throws {
            let answer = try await place.client().call(.GET, AdminPath.of("/admin/tenants", part.query))
            try answer.printTable(
                [
                    ("ID", "id"), ("SLUG", "slug"), ("NAME", "display_name"), ("STATUS", "status"),
                    ("MEMBERSHIP", "membership"),
                ], json: place.json, nothing: "There are no tenants.")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One tenant.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var tenant: TenantName

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(.GET, "/admin/tenants/\(tenant.id(client))")
            try answer.printFields(Tenants.fields, json: place.json)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a tenant. Whoever registers there with the code that is printed becomes its owner.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "Its slug: lower-case letters, digits and dashes.")
        var slug: String
        @Option(help: "Its name; the slug unless told.")
        var name: String?
        @Option(help: "Who becomes a member by registering: open, invitation or approval.")
        var membership = "open"

        func run() async throws {
            let body = ["slug": slug, "name": name ?? slug, "membership": membership]
            let answer = try await place.client().call(.POST, "/admin/tenants", body: body)
            try answer.printFields(Tenants.fields, json: place.json)
        }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keeps everybody of a tenant out.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var tenant: TenantName

        func run() async throws { try await Tenants.set("suspended", tenant, place) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets a suspended tenant go on.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var tenant: TenantName

        func run() async throws { try await Tenants.set("active", tenant, place) }
    }

    static func set(_ status: String, _ tenant: TenantName, _ place: AdminPlace) async throws {
        let client = try await place.client()
        let answer = try await client.call(
            .PUT, "/admin/tenants/\(tenant.id(client))/status", body: ["status": status])
        try answer.printFields(["id", "slug", "status"], json: place.json)
    }

    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a code that lets one person into the tenant of --tenant.")

        @OptionGroup var place: AdminPlace
        @Option(help: "Only who has this address may use it; it is mailed there.")
        var email: String?
        @Option(help: "A role besides member. May be given several times.")
        var role: [String] = []

        func run() async throws {
            let answer = try await place.client().call(
                .POST, "/admin/invitations", body: Body(email: email, roles: role))
            try answer.printFields(["id", "email", "roles", "expires_at", "invitation_code"], json: place.json)
            if !place.json, let message = answer.body["message"] as? String { Local.say(message) }
        }

        private struct Body: Encodable {
            let email: String?
            let roles: [String]
        }
    }
}
