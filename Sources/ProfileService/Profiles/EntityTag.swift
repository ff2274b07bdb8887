import HTTPTypes
import Hummingbird
import MicroMiddleware

/// A profile's version as an entity tag (RFC 9110, section 8.8.3).
enum EntityTag {
    static func text(_ version: Int64) -> String { "\"v\(version)\"" }

    /// The version that `If-Match` demands; nil where there is none, or for `*`.
    /// - Throws: ``ProfileError/stale`` for tags that are not ours: they cannot fit. Lists are not taken.
    static func expectedVersion(_ request: Request) throws -> Int64? {
        guard let header = request.headers[.ifMatch], header != "*" else { return nil }
        guard header.hasPrefix("\"v"), header.hasSuffix("\""), header.utf8.count > 3,
            let version = Int64(header.dropFirst(2).dropLast()), text(version) == header
        else { throw ProfileError.stale }
        return version
    }
}
