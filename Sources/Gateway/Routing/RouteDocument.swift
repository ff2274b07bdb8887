package import Contracts
internal import Yams

/// `configs/gateway/routes.yaml` as it is written: which services there are, which paths need no token, which paths
/// another service answers, and which have limits of their own.
package struct RouteDocument: Codable, Sendable {
    /// A path that needs no access token.
    package struct PublicPath: Codable, Sendable {
        package var service: String
        package var path: String
        /// The methods this holds for; all when absent.
        package var methods: [String]?
    }

    /// A path of `service` that `to` answers; and `fallback` where `to` gives no answer at all.
    package struct Override: Codable, Sendable {
        package var service: String
        package var path: String
        package var to: String
        package var fallback: String?
        /// The fallback's path, where it is another one: fixed, no pattern.
        package var fallbackPath: String?
        /// How long to wait for the first byte of `to`'s answer.
        package var fallbackAfterMilliseconds: Int?

        enum CodingKeys: String, CodingKey {
            case service, path, to, fallback
            case fallbackPath = "fallback_path"
            case fallbackAfterMilliseconds = "fallback_after_ms"
        }
    }

    /// A path with limits of its own.
    package struct Limit: Codable, Sendable {
        package var service: String
        package var path: String
        package var bodyBytes: Int?
        package var deadlineMilliseconds: Int?

        enum CodingKeys: String, CodingKey {
            case service, path
            case bodyBytes = "body_bytes"
            case deadlineMilliseconds = "deadline_ms"
        }
    }

    /// What a path is worth when not all can be served; what no rule names is `other`.
    package struct Priority: Codable, Sendable {
        package var service: String
        package var path: String
        /// The methods this holds for; all when absent.
        package var methods: [String]?
        package var priority: RequestPriority
    }

    package var services: [String]
    package var `public`: [PublicPath]
    package var overrides: [Override]
    package var limits: [Limit]
    /// The first rule that fits holds.
    package var priorities: [Priority]?

    /// Reads the document.
    ///
    /// - Throws: `RouteError` in one sentence when the text is not such a document.
    package static func parse(yaml: String) throws -> RouteDocument {
        do {
            return try YAMLDecoder().decode(RouteDocument.self, from: yaml)
        } catch {
            throw RouteError("the route document is malformed: \(error)")
        }
    }
}

/// Why a route document cannot be used, in one sentence.
package struct RouteError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
