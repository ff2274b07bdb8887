import Contracts
import Foundation

/// A tenant as administrators see one.
struct TenantView: Encodable, Sendable {
    struct Policy: Encodable, Sendable {
        let passwordTransmission: String
        let minLength: Int
        let maxLength: Int
        let history: Int
        let maxAgeDays: Int
        let refusesCommon: Bool

        init(_ policy: PasswordPolicy) {
            passwordTransmission = policy.transmission
            minLength = policy.minimumLength
            maxLength = policy.maximumLength
            history = policy.historyDepth
            maxAgeDays = policy.maximumAgeDays
            refusesCommon = policy.refusesCommon
        }

        enum CodingKeys: String, CodingKey {
            case passwordTransmission = "password_transmission"
            case minLength = "min_length"
            case maxLength = "max_length"
            case history
            case maxAgeDays = "max_age_days"
            case refusesCommon = "refuse_common"
        }
    }

    let id: String
    let slug: String
    let name: String
    let displayName: String
    let status: String
    let membership: String
    let loginMethods: [String]
    let passwordPolicy: Policy
    let sessionPolicy: SessionPolicy
    let registrationDiscloses: Bool
    let requiresVerifiedEmail: Bool
    let mailsNewDevices: Bool
    let ownerInvitationCode: String?

    init(_ tenant: Tenant, ownerCode: String? = nil) {
        id = tenant.id.text
        slug = tenant.slug
        name = tenant.name
        displayName = tenant.displayName
        status = tenant.status.rawValue
        membership = tenant.membership.rawValue
        loginMethods = tenant.loginMethods
        passwordPolicy = Policy(tenant.passwordPolicy)
        sessionPolicy = tenant.sessionPolicy
        registrationDiscloses = tenant.registrationDiscloses
        requiresVerifiedEmail = tenant.requiresVerifiedEmail
        mailsNewDevices = tenant.mailsNewDevices
        ownerInvitationCode = ownerCode
    }

    enum CodingKeys: String, CodingKey {
        case id, slug, name
        case displayName = "display_name"
        case status, membership
        case loginMethods = "login_methods"
        case passwordPolicy = "password_policy"
        case sessionPolicy = "session_policy"
        case registrationDiscloses = "registration_discloses"
        case requiresVerifiedEmail = "requires_verified_email"
        case mailsNewDevices = "new_device_mail"
        case ownerInvitationCode = "owner_invitation_code"
    }
}

struct InvitationRequest: Decodable {
    let email: String?
    let roles: [String]?
    let expiresIn: Int?

    enum CodingKeys: String, CodingKey {
        case email, roles
        case expiresIn = "expires_in"
    }
}

/// An invitation as administrators see one; the code only where it was just made.
struct InvitationView: Encodable, Sendable {
    let id: String
    let email: String?
    let roles: [String]
    let status: String
    let createdBy: String?
    let createdAt: Date
    let expiresAt: Date
    let code: String?

    init(_ invitation: Invitation, code: String? = nil, now: Date = Date()) {
        id = invitation.id.text
        email = invitation.emailKey
        roles = invitation.roles
        status = invitation.status(at: now)
        createdBy = invitation.createdBy?.text
        createdAt = invitation.createdAt
        expiresAt = invitation.expiresAt
        self.code = code
    }

    enum CodingKeys: String, CodingKey {
        case id, email, roles, status
        case createdBy = "created_by"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case code = "invitation_code"
    }
}

/// A tenant as one of its members sees it.
struct MembershipView: Encodable, Sendable {
    let tenantID: String
    let slug: String
    let name: String
    let status: String
    let roles: [String]
    let isHome: Bool
    let isCurrent: Bool

    init(_ held: MembershipInTenant, current: UUID) {
        tenantID = held.tenant.id.text
        slug = held.tenant.slug
        name = held.tenant.displayName
        status = held.tenant.status == .active ? held.membership.status.rawValue : held.tenant.status.rawValue
        roles = held.membership.roles
        isHome = held.isHome
        isCurrent = held.tenant.id == current
    }

    enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case slug, name, status, roles
        case isHome = "is_home"
        case isCurrent = "is_current"
    }
}
