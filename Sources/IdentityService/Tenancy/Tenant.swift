package import Contracts
package import Foundation

/// An organisation whose users, roles and records nobody else sees.
package struct Tenant: Sendable, Hashable, Identifiable {
    package enum Status: String, Sendable, Hashable {
        case active, suspended
    }

    package let id: UUID
    package var slug: String
    package var name: String
    package var displayName: String
    package var status: Status
    package var membership: MembershipPolicy
    /// The names by which users sign in, as ``IdentifierKind`` has them. By others nobody does.
    package var loginMethods: [String]
    package var passwordPolicy: PasswordPolicy
    /// Whether who registers is told that an e-mail address or phone number is taken; usernames always are.
    package var registrationDiscloses: Bool
    /// Whether a user must have verified the e-mail address before signing in.
    package var requiresVerifiedEmail: Bool
    package var sessionPolicy: SessionPolicy
    /// Whether users get a mail when they sign in with a device not seen before.
    package var mailsNewDevices: Bool

    package init(
        id: UUID, slug: String, name: String, displayName: String, status: Status = .active,
        membership: MembershipPolicy = .open, loginMethods: [String] = IdentifierKind.allCases.map(\.rawValue),
        passwordPolicy: PasswordPolicy = PasswordPolicy(), registrationDiscloses: Bool = false,
        requiresVerifiedEmail: Bool = false, sessionPolicy: SessionPolicy = SessionPolicy(),
        mailsNewDevices: Bool = true
    ) {
        self.id = id
        self.slug = slug
        self.name = name
        self.displayName = displayName
        self.status = status
        self.membership = membership
        self.loginMethods = loginMethods
        self.passwordPolicy = passwordPolicy
        self.registrationDiscloses = registrationDiscloses
        self.requiresVerifiedEmail = requiresVerifiedEmail
        self.sessionPolicy = sessionPolicy
        self.mailsNewDevices = mailsNewDevices
    }

    package func allowsLogin(by kind: IdentifierKind) -> Bool { loginMethods.contains(kind.rawValue) }

    /// Whether a registration waits for an administrator's approval.
    package var membershipApproval: Bool { membership == .approval }
}
