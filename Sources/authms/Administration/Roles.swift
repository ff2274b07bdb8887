import ArgumentParser
import LocalStack
import NIOHTTP1

struct Roles: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The roles of a tenant, and who holds them.",
        subcommands: [List.self, Create.self, Set.self, Delete.self, Grant.self, Revoke.self],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The built-in roles and the tenant's own.")

        @OptionGroup var place: AdminPlace

        func run() async throws {
            let answer = try await place.client().call(.GET, "/admin/roles")
            try answer.printTable(
                [("NAME", "name"), ("BUILT IN", "is_built_in"), ("PERMISSIONS", "permissions")], json: place.json,
                nothing: "There are no roles.")
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a role of the tenant's own.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "Its name: lower-case letters, digits, - and _.")
        var name: String
        @Argument(help: "What it allows: users:read, documents:write, documents:*, documents:read@42 …")
        var permissions: [String]
        @Option(help: "What it is for.")
        var description = ""

        func run() async throws {
            let body = RoleBody(name: name, description: description, permissions: permissions)
            let answer = try await place.client().call(.POST, "/admin/roles", body: body)
            try answer.printFields(["name", "description", "permissions"], json: place.json)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes what a role allows, for all who hold it, within moments.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "Its name.")
        var name: String
        @Argument(help: "All that it allows from now on.")
        var permissions: [String]

        func run() async throws {
            let body = RoleBody(name: nil, description: nil, permissions: permissions)
            let answer = try await place.client().call(.PUT, "/admin/roles/\(AdminPath.segment(name))", body: body)
            try answer.printFields(["name", "description", "permissions"], json: place.json)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Deletes a role, and takes it from all who hold it.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "Its name.")
        var name: String

        func run() async throws {
            _ = try await place.client().call(.DELETE, "/admin/roles/\(AdminPath.segment(name))")
            Local.say("\(name) is gone.")
        }
    }

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Gives somebody a role.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "The role's name.")
        var name: String
        @OptionGroup var who: UserName

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(.PUT, "/admin/users/\(who.id(client))/roles/\(AdminPath.segment(name))")
            try answer.printFields(["user_id", "roles"], json: place.json)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a role from somebody. Tokens that say otherwise are refused within moments.")

        @OptionGroup var place: AdminPlace
        @Argument(help: "The role's name.")
        var name: String
        @OptionGroup var who: UserName

        func run() async throws {
            let client = try await place.client()
            let answer = try await client.call(
                .DELETE, "/admin/users/\(who.id(client))/roles/\(AdminPath.segment(name))")
            try answer.printFields(["user_id", "roles"], json: place.json)
        }
    }
}

private struct RoleBody: Encodable {
    let name: String?
    let description: String?
    let permissions: [String]
}
