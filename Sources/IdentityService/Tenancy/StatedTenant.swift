import Contracts
package import Foundation
import Hummingbird
package import MicroMiddleware

/// Which tenant somebody without a token means. Whoever has one is in the tenant of the token, whatever else is said.
package enum StatedTenant {
    /// The header by which an application that knows its tenant says so once for all its requests.
    package static let header = "X-Tenant-ID"

    /// The tenant of the body, which is about this very request; else that of the header; else the default one.
    ///
    /// - Throws: 422 that names the header when that is no UUID, also where the body decides.
    package static func choose(body: UUID?, header text: String?) throws(APIError) -> UUID {
        guard let text else { return body ?? DefaultTenant.id }
        guard let stated = UUID(uuidString: text) else { throw .invalid(header, "must be a UUID") }
        return body ?? stated
    }
}

extension Request {
    /// The tenant that the request is about: see ``StatedTenant``.
    func tenantID(body: UUID?) throws(APIError) -> UUID {
        try StatedTenant.choose(body: body, header: headers[.tenantID])
    }
}
