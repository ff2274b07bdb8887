package import ConnectionKit
import Contracts
package import Foundation
import Hummingbird
import MicroMiddleware

/// What a password that somebody is about to choose is worth, by the rules of the tenant.
package struct PasswordStrength: Sendable {
    package struct Verdict: Sendable, Encodable {
        /// Whether it may be chosen.
        package let acceptable: Bool
        /// 0 for what may not be chosen, 1 to 4 by length: 8, 12, 16, 20 characters, of which at least half differ.
        package let score: Int
        /// Whether attackers try it first.
        package let common: Bool
        package let suggestions: [String]
    }

    let repository: any IdentityRepository
    let screening: any PasswordScreening

    package init(repository: any IdentityRepository, screening: any PasswordScreening) {
        self.repository = repository
        self.screening = screening
    }

    package func verdict(_ password: String, tenantID: UUID, deadline: Deadline) async throws -> Verdict {
        let tenant = try await repository.tenant(tenantID, deadline: deadline.forStatement)
        let policy = tenant?.passwordPolicy ?? PasswordPolicy()
        var suggestions: [String] = []
        do throws(IdentityError) {
            _ = try policy.accept(password)
        } catch {
            if case .invalid(let violations) = error { suggestions += violations.map { "It \($0.message)." } }
        }
        let normalized = PasswordPolicy.normalized(password)
        let isCommon = await screening.isKnown(normalized)
        if isCommon { suggestions.append("It is among those that attackers try first.") }
        let acceptable = suggestions.isEmpty || (isCommon && !policy.refusesCommon && suggestions.count == 1)
        let scalars = normalized.unicodeScalars
        let counted = min(scalars.count, Set(scalars).count * 2)
        let score = !acceptable || isCommon ? 0 : max(1, min(4, (counted - 4) / 4))
        if acceptable, score < 3 { suggestions.append("A few more words make it stronger.") }
        return Verdict(acceptable: acceptable, score: score, common: isCommon, suggestions: suggestions)
    }
}

/// Tells anybody what a password is worth. The password is neither kept nor logged.
struct PasswordStrengthController: Sendable {
    let strength: PasswordStrength

    init(strength: PasswordStrength) {
        self.strength = strength
    }

    /// Adds the route to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<BaseRequestContext>) {
        group.post("public/password-strength", use: verdict)
    }

    @Sendable private func verdict(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<PasswordStrength.Verdict> {
        let body = try await request.decode(as: StrengthRequest.self, context: context)
        return Envelope(
            try await strength.verdict(
                body.password, tenantID: request.tenantID(body: body.tenantID), deadline: context.deadline))
    }
}

private struct StrengthRequest: Decodable {
    let password: String
    let tenantID: UUID?

    enum CodingKeys: String, CodingKey {
        case password
        case tenantID = "tenant_id"
    }
}
