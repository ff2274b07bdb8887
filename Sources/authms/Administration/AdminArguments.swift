import ArgumentParser
import Foundation
import LocalStack

/// The user that a command is about.
struct UserName: ParsableArguments {
    @Argument(help: "The user's id, e-mail address, username or phone number.")
    var user: String

    func id(_ client: AdminClient) async throws -> String { try await Users.find(user, client) }
}

/// The tenant that a command is about.
struct TenantName: ParsableArguments {
    @Argument(help: "The tenant's slug or id.")
    var name: String

    func id(_ client: AdminClient) async throws -> String { try await Tenants.find(name, client) }
}

/// Which part of a list is shown.
struct PageOptions: ParsableArguments {
    @Option(help: "How many at most, up to 200.")
    var limit = 50
    @Option(help: "Which page of them.")
    var page = 1

    var query: [(String, String?)] { [("page_size", String(limit)), ("page", String(page))] }
}

enum AdminPath {
    /// A path with a query; what is nil is left out.
    static func of(_ path: String, _ query: [(String, String?)]) -> String {
        var components = URLComponents()
        components.path = path
        components.queryItems = query.compactMap { name, value in value.map { URLQueryItem(name: name, value: $0) } }
        // A plus sign means a blank in a query.
        return (components.string ?? path).replacing("+", with: "%2B")
    }

    /// A name as one segment of a path. What RFC 3986 (2.3) calls unreserved stays as it is: the gateway refuses a path that
    /// could be written in another way.
    static func segment(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: unreserved) ?? name
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
}
