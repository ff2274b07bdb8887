import Contracts
import Foundation
import MicroMiddleware

/// What a request says of a tenant; what it does not say stays as it is. The wire form of it, too.
package struct TenantChanges: Decodable, Sendable {
    package var slug: String?
    package var name: String?
    package var displayName: String?
    package var membership: String?
    package var loginMethods: [String]?
    package var passwordPolicy: PasswordPolicyChanges?
    package var sessionPolicy: SessionPolicyChanges?
    package var registrationDiscloses: Bool?
    package var requiresVerifiedEmail: Bool?
    package var mailsNewDevices: Bool?

    package init() {}

    private enum CodingKeys: String, CodingKey {
        case slug, name
        case displayName = "display_name"
        case membership
        case loginMethods = "login_methods"
        case passwordPolicy = "password_policy"
        case sessionPolicy = "session_policy"
        case registrationDiscloses = "registration_discloses"
        case requiresVerifiedEmail = "requires_verified_email"
        case mailsNewDevices = "new_device_mail"
    }

    /// Which fields are named, for the record.
    var names: String {
        let named: [(CodingKeys, Bool)] = [
            (.name, name != nil), (.displayName, displayName != nil), (.membership, membership != nil),
            (.loginMethods, loginMethods != nil), (.passwordPolicy, passwordPolicy != nil),
            (.sessionPolicy, sessionPolicy != nil), (.registrationDiscloses, registrationDiscloses != nil),
            (.requiresVerifiedEmail, requiresVerifiedEmail != nil), (.mailsNewDevices, mailsNewDevices != nil),
        ]
        return named.filter(\.1).map(\.0.rawValue).joined(separator: ",")
    }

    /// A new tenant: it needs a slug and a name.
    func makeTenant(id: UUID) throws(IdentityError) -> Tenant {
        guard let slug, Self.isSlug(slug) else {
            throw .invalid("slug", "must be 2 to 40 lower-case letters, digits and dashes, beginning with a letter")
        }
        guard let name else { throw .invalid("name", "is needed") }
        var tenant = Tenant(id: id, slug: slug, name: name, displayName: displayName ?? name)
        try apply(to: &tenant)
        return tenant
    }

    /// - Throws: ``IdentityError/invalid(_:)`` naming every field that is wrong.
    func apply(to tenant: inout Tenant) throws(IdentityError) {
        var wrong: [Violation] = []
        func check(_ isRight: Bool, _ field: String, _ message: String) {
            if !isRight { wrong.append(Violation(field: field, message: message)) }
        }
        if let slug { check(slug == tenant.slug, "slug", "stays what it is") }
        if let name {
            check(Self.isName(name), "name", "must be 1 to 128 characters")
            tenant.name = name
        }
        if let displayName {
            check(Self.isName(displayName), "display_name", "must be 1 to 128 characters")
            tenant.displayName = displayName
        }
        if let membership {
            let policy = MembershipPolicy(rawValue: membership)
            check(policy != nil, "membership", "must be open, invitation or approval")
            tenant.membership = policy ?? tenant.membership
        }
        if let loginMethods {
            let known = Set(IdentifierKind.allCases.map(\.rawValue))
            let isRight = !loginMethods.isEmpty && Set(loginMethods).isSubset(of: known)
            check(isRight, "login_methods", "must be some of email, username and phone")
            tenant.loginMethods = IdentifierKind.allCases.map(\.rawValue).filter(loginMethods.contains)
        }
        tenant.registrationDiscloses = registrationDiscloses ?? tenant.registrationDiscloses
        tenant.requiresVerifiedEmail = requiresVerifiedEmail ?? tenant.requiresVerifiedEmail
        tenant.mailsNewDevices = mailsNewDevices ?? tenant.mailsNewDevices
        passwordPolicy?.apply(to: &tenant.passwordPolicy, wrong: &wrong)
        sessionPolicy?.apply(to: &tenant.sessionPolicy, wrong: &wrong)
        guard wrong.isEmpty else { throw .invalid(wrong) }
    }

    private static func isSlug(_ text: String) -> Bool {
        (2...40).contains(text.utf8.count) && text.utf8.first.map { (0x61...0x7A).contains($0) } == true
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.unicodeScalars.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}

/// Of a tenant's password policy.
package struct PasswordPolicyChanges: Decodable, Sendable {
    var minLength: Int?
    var maxLength: Int?
    var transmission: String?
    var history: Int?
    var maxAgeDays: Int?
    var refusesCommon: Bool?

    enum CodingKeys: String, CodingKey {
        case minLength = "min_length"
        case maxLength = "max_length"
        case transmission = "password_transmission"
        case history
        case maxAgeDays = "max_age_days"
        case refusesCommon = "refuse_common"
    }

    func apply(to policy: inout PasswordPolicy, wrong: inout [Violation]) {
        func check(_ isRight: Bool, _ field: String, _ message: String) {
            if !isRight { wrong.append(Violation(field: "password_policy.\(field)", message: message)) }
        }
        if let minLength {
            check((8...128).contains(minLength), "min_length", "must be 8 to 128")
            policy.minimumLength = minLength
        }
        if let maxLength {
            check((128...1024).contains(maxLength), "max_length", "must be 128 to 1024")
            policy.maximumLength = maxLength
        }
        if let transmission {
            check(["plain", "hash"].contains(transmission), "password_transmission", "must be plain or hash")
            policy.transmission = transmission
        }
        if let history {
            check((0...24).contains(history), "history", "must be 0 to 24")
            policy.historyDepth = history
        }
        if let maxAgeDays {
            check((0...3_650).contains(maxAgeDays), "max_age_days", "must be 0 to 3650")
            policy.maximumAgeDays = maxAgeDays
        }
        policy.refusesCommon = refusesCommon ?? policy.refusesCommon
    }
}

/// Of a tenant's session policy; `null` is as the suite is configured.
package struct SessionPolicyChanges: Decodable, Sendable {
    private var numbers: [CodingKeys: Int?] = [:]
    private var atLimit: String?

    private enum CodingKeys: String, CodingKey {
        case limit = "max_sessions"
        case atLimit = "at_limit"
        case idle = "idle_timeout_s"
        case absolute = "absolute_timeout_s"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        for key in [CodingKeys.limit, .idle, .absolute] where container.contains(key) {
            numbers[key] = .some(try container.decodeIfPresent(Int.self, forKey: key))
        }
        atLimit = try container.decodeIfPresent(String.self, forKey: .atLimit)
    }

    func apply(to policy: inout SessionPolicy, wrong: inout [Violation]) {
        func take(_ key: CodingKeys, _ range: ClosedRange<Int>, _ change: (Int?) -> Void) {
            guard let value = numbers[key] else { return }
            if let value, !range.contains(value) {
                let message = "must be null, or \(range.lowerBound) to \(range.upperBound)"
                wrong.append(Violation(field: "session_policy.\(key.rawValue)", message: message))
            }
            change(value)
        }
        take(.limit, 1...1_000) { policy.maximumSessions = $0 }
        take(.idle, 60...31_536_000) { policy.idleTimeoutSeconds = $0 }
        take(.absolute, 60...315_360_000) { policy.absoluteTimeoutSeconds = $0 }
        guard let atLimit else { return }
        if let known = SessionPolicy.AtLimit(rawValue: atLimit) {
            policy.atLimit = known
        } else {
            wrong.append(Violation(field: "session_policy.at_limit", message: "must be end_oldest or refuse"))
        }
    }
}
