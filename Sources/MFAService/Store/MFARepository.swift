package import ConnectionKit
package import Contracts
package import Foundation

/// A one-time password generator that somebody has set up, or is setting up.
package struct TOTPEnrolment: Sendable, Hashable, Identifiable {
    package let id: UUID
    package let userID: UUID
    package let tenantID: UUID
    package var secret: FactorCipher.Sealed
    /// `nil` until the user has shown that their app has the secret.
    package var enabledAt: Date?
    package var createdAt: Date
    package var lastUsedAt: Date?

    package init(
        id: UUID, userID: UUID, tenantID: UUID, secret: FactorCipher.Sealed, enabledAt: Date? = nil, createdAt: Date,
        lastUsedAt: Date? = nil
    ) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.secret = secret
        self.enabledAt = enabledAt
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
    }

    package var owner: SecretOwner { SecretOwner(tenantID: tenantID, userID: userID, methodID: id) }
}

/// A recovery code as it is stored.
package struct StoredRecoveryCode: Sendable, Hashable, Identifiable {
    package let id: UUID
    package let hash: [UInt8]

    package init(id: UUID = .v7(), hash: [UInt8]) {
        self.id = id
        self.hash = hash
    }
}

/// Everything that somebody has.
package struct UserFactors: Sendable, Hashable {
    package var totp: TOTPEnrolment?
    package var hasPasskey = false
    package var unusedRecoveryCodes = 0
    /// Of what identity has to know, and of what it has confirmed; 0 for somebody who never had a factor.
    package var version: Int64 = 0
    package var toldVersion: Int64 = 0

    package init() {}

    /// What stands in for a second factor at a login; recovery codes only beside another one.
    package var methods: [MFAMethod] {
        (totp?.enabledAt == nil ? [] : [.totp]) + (hasPasskey ? [.webauthn] : [])
    }

    /// Whether identity knows of it all.
    package var isTold: Bool { toldVersion >= version }
}

/// A challenge that was opened at identity's word.
package struct Challenge: Sendable, Hashable, Identifiable {
    /// How often it may be answered.
    package static let maximumAttempts = 5

    package let id: UUID
    /// `nil` where a passkey is to say who it is.
    package let userID: UUID?
    package let tenantID: UUID
    /// 32 random bytes that a passkey has to sign.
    package let nonce: [UInt8]
    package let expiresAt: Date

    package init(id: UUID, userID: UUID?, tenantID: UUID, nonce: [UInt8], expiresAt: Date) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.nonce = nonce
        self.expiresAt = expiresAt
    }
}

/// Whether a challenge may be answered now.
package enum AttemptClaim: Sendable, Hashable {
    /// It may, and this attempt is counted already, so that many at once are not more than many in turn.
    case granted(nonce: [UInt8])
    case challengeOver
    /// Too many wrong one-time passwords.
    case blocked(until: Date)
}

/// The store of second factors. Whatever changes something takes the events that tell of it and stores both or neither.
package protocol MFARepository: Sendable {
    func factors(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> UserFactors

    // MARK: One-time passwords

    /// Keeps a secret that is not enabled yet, in place of an earlier one.
    /// - Returns: false when one is enabled already.
    func propose(_ enrolment: TOTPEnrolment, deadline: Deadline) async throws -> Bool

    /// Enables a proposed secret, gives recovery codes in place of those before, and raises the version.
    ///
    /// - Parameters:
    ///   - step: the step that was proven; it is used up.
    ///   - again: whether one that is enabled already, but that identity does not know of, is taken too.
    /// - Returns: false when there is no such secret to enable.
    func enable(
        _ enrolment: TOTPEnrolment, step: Int64, codes: [StoredRecoveryCode], now: Date, again: Bool,
        events: [DomainEvent], deadline: Deadline
    ) async throws -> Bool

    /// Forgets the secret, enabled or not, and the recovery codes with the last factor.
    /// - Returns: false when nothing was enabled.
    func disableTOTP(of userID: UUID, tenantID: UUID, now: Date, event: DomainEvent, deadline: Deadline) async throws
        -> Bool

    // MARK: Recovery codes

    /// - Returns: false when the user has no factor that they could stand in for.
    func replaceCodes(
        of userID: UUID, tenantID: UUID, with codes: [StoredRecoveryCode], now: Date, event: DomainEvent,
        deadline: Deadline
    ) async throws -> Bool

    /// The unused code of that hash.
    func unusedCode(of userID: UUID, tenantID: UUID, hash: [UInt8], deadline: Deadline) async throws -> UUID?

    // MARK: Challenges

    /// Doing it twice is as good as once.
    /// - Returns: the challenge as it is stored.
    func open(_ challenge: Challenge, deadline: Deadline) async throws -> Challenge

    /// Counts an attempt before it is looked at.
    /// - Parameter guessable: whether it is a one-time password, of which only so many may be tried in a row.
    func claimAttempt(
        _ challengeID: UUID, userID: UUID, tenantID: UUID, guessable: Bool, now: Date, deadline: Deadline
    ) async throws -> AttemptClaim

    /// Uses up a step and the challenge with it.
    /// - Returns: false when the step, a later one, or the challenge was used before.
    func acceptStep(
        _ step: Int64, of enrolment: TOTPEnrolment, challenge: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> Bool

    /// Uses up a recovery code and the challenge with it.
    /// - Returns: false when one of them was used before.
    func acceptCode(
        _ codeID: UUID, of userID: UUID, tenantID: UUID, challenge: UUID, now: Date, events: [DomainEvent],
        deadline: Deadline
    ) async throws -> Bool

    // MARK: Administration

    /// Forgets every factor of a user, and forgives wrong codes.
    /// - Returns: false when there was nothing.
    func reset(_ userID: UUID, tenantID: UUID, now: Date, event: DomainEvent, deadline: Deadline) async throws -> Bool

    /// Stores an event that changes nothing here.
    func append(_ event: DomainEvent, deadline: Deadline) async throws

    // MARK: What identity has to know

    /// The state of users of whom identity does not know everything yet.
    func untold(limit: Int, deadline: Deadline) async throws -> [SecondFactorState]

    /// The highest number of a report that identity has confirmed; 0 for none.
    func lastReport(deadline: Deadline) async throws -> Int64

    /// Identity has confirmed these, in the report of a number.
    func markTold(_ states: [SecondFactorState], report: Int64, deadline: Deadline) async throws

    /// What identity confirmed in a report after `last`, it has forgotten: that is untold again. The users themselves
    /// have their factors as before.
    /// - Returns: how many users that is.
    func forgetTold(after last: Int64, deadline: Deadline) async throws -> Int

    // MARK: Keys

    /// The names of the keys that secrets are under.
    func keyIDsInUse(deadline: Deadline) async throws -> [String]

    /// Secrets that are not under that key.
    func enrolments(notUnder keyID: String, limit: Int, deadline: Deadline) async throws -> [TOTPEnrolment]

    /// Replaces the ciphertext, unless it has changed meanwhile.
    func reseal(_ enrolment: TOTPEnrolment, as sealed: FactorCipher.Sealed, deadline: Deadline) async throws -> Bool
}
