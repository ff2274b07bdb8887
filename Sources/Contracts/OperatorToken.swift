package import Foundation

/// Whoever runs the suite's machines, acting through its API: no user, and in no database.
package enum Operator {
    /// The `sub` of an operator's token and the actor of what is done with it. Who it was is in the event of the admission.
    package static let id = UUID(uuid: (0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x0F))
    /// The name that the operator's tools call as, to the internal API.
    package static let caller = "operator"
}

/// `POST /api/v1/internal/operator-tokens`: whoever holds the internal secret gets an owner's access token of five minutes.
package struct OperatorTokenRequest: Codable, Sendable, Hashable {
    /// Who asks, for the audit trail: the name of the account on the machine.
    package var name: String
    /// The id or slug of the tenant to act in; the default one without.
    package var tenant: String?

    package init(name: String, tenant: String? = nil) {
        self.name = name
        self.tenant = tenant
    }
}

package struct OperatorToken: Codable, Sendable {
    package var accessToken: String
    /// Seconds.
    package var expiresIn: Int

    package init(accessToken: String, expiresIn: Int) {
        self.accessToken = accessToken
        self.expiresIn = expiresIn
    }

    package enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case expiresIn = "expires_in"
    }
}
