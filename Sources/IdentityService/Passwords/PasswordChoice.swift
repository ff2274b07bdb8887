package import ConnectionKit
package import Foundation
import MicroMiddleware

/// Choosing a new password: what the tenant's policy says of it, whether attackers know it, and whether it is one of the
/// user's last.
package struct PasswordChoice: Sendable {
    let screening: any PasswordScreening
    let hasher: any PasswordHashing
    /// The hashes of a user's last passwords.
    let history: @Sendable (_ user: UUID, _ tenant: UUID, _ limit: Int, Deadline) async throws -> [String]

    package init(
        screening: any PasswordScreening = NoScreening(), hasher: any PasswordHashing,
        history: @escaping @Sendable (UUID, UUID, Int, Deadline) async throws -> [String] = { _, _, _, _ in [] }
    ) {
        self.screening = screening
        self.hasher = hasher
        self.history = history
    }

    /// The password as it is to be hashed.
    /// - Throws: ``IdentityError/invalid(_:)`` naming `field`.
    package func accept(
        _ password: String, declared: String? = nil, policy: PasswordPolicy, tenantID: UUID, field: String
    ) async throws -> String {
        let chosen = try policy.choose(password, declared: declared, tenantID: tenantID, field: field)
        if policy.refusesCommon, let plain = chosen.plain, await screening.isKnown(plain) {
            throw IdentityError.invalid(field, "is among the passwords that attackers try first; choose another one")
        }
        return chosen.presented
    }

    /// Costs one hash for each password that the tenant remembers: only for somebody who has proved who they are.
    /// - Throws: ``IdentityError/invalid(_:)`` naming `field`.
    package func refuseRecent(
        _ presented: String, of user: UUID, tenantID: UUID, policy: PasswordPolicy, current: String?, field: String,
        deadline: Deadline
    ) async throws {
        guard policy.historyDepth > 0 else { return }
        var hashes = try await history(user, tenantID, policy.historyDepth, deadline.forStatement)
        if let current { hashes.insert(current, at: 0) }
        for hash in hashes.prefix(policy.historyDepth) {
            let isSame = try await hasher.verify(presented, against: hash, deadline: deadline.forHash).matches
            guard !isSame else {
                throw IdentityError.invalid(field, "must not be one of your last \(policy.historyDepth) passwords")
            }
        }
    }
}
