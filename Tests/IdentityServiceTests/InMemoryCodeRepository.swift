import ConnectionKit
import Contracts
import Foundation
import IdentityService
import MicroMiddleware

/// Codes of a test that needs no database, over the users of ``InMemoryIdentityRepository``.
actor InMemoryCodeRepository: CodeRepository, EmailChangeRepository {
    private struct Kept {
        var stored: StoredCode
        var purpose: CodePurpose
        var expiresAt: Date
        var askedFrom: String?
        var attempts = 0
        var isUsed = false
    }

    private let users: InMemoryIdentityRepository
    private var codes: [UUID: Kept] = [:]
    private var verified: Set<UUID> = []
    private var sent: [UUID: SentMail] = [:]

    private struct SentMail: Equatable {
        var userID: UUID
        var kind: MailKind
    }

    init(users: InMemoryIdentityRepository) {
        self.users = users
    }

    func recordRequest(
        _ event: DomainEvent, about identifier: Identifier, tenantID: UUID, deadline: Deadline
    ) async {
        await users.record(event)
    }

    func issue(_ code: NewCode, deadline: Deadline) async -> StoredCode? {
        if let kept = codes[code.id] { return kept.stored }
        guard let account = await users.account(code.userID, tenantID: code.tenantID, deadline: deadline),
            account.user.status == .active, let target = account.user.email
        else { return nil }
        if code.purpose == .emailVerification, verified.contains(code.userID) { return nil }
        let earlier = codes.values.filter { $0.stored.userID == code.userID && $0.purpose == code.purpose }
        guard earlier.count < OneTimeCodes.hourlyLimit,
            earlier.count(where: { $0.askedFrom != nil && $0.askedFrom == code.askedFrom })
                < OneTimeCodes.hourlyLimitOfAddress
        else { return nil }
        let stored = StoredCode(
            id: code.id, userID: code.userID, tenantID: code.tenantID, target: target, salt: code.salt)
        codes[code.id] = Kept(
            stored: stored, purpose: code.purpose, expiresAt: code.expiresAt, askedFrom: code.askedFrom)
        return stored
    }

    func attempt(
        _ purpose: CodePurpose, identifier: Identifier, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async -> [StoredCode] {
        await users.record(event)
        guard case .found(let account) = await users.lookUp(identifier, tenantID: tenantID, deadline: deadline),
            account.user.status == .active
        else { return [] }
        var live: [StoredCode] = []
        for (id, kept) in codes where kept.stored.userID == account.user.id && kept.purpose == purpose {
            guard isLive(kept), kept.attempts < OneTimeCodes.attemptLimit, kept.stored.target == account.user.email
            else { continue }
            codes[id]?.attempts += 1
            live.append(kept.stored)
        }
        return live
    }

    func resetPassword(
        with code: StoredCode, newHash: String, event: DomainEvent, deadline: Deadline
    ) async -> Date? {
        guard let kept = codes[code.id], isLive(kept),
            await users.account(code.userID, tenantID: code.tenantID, deadline: deadline)?.user.email == code.target
        else { return nil }
        for (id, other) in codes where other.stored.userID == code.userID && other.purpose == .passwordReset {
            codes[id]?.isUsed = true
        }
        verified.insert(code.userID)
        guard let account = await users.account(code.userID, tenantID: code.tenantID, deadline: deadline) else {
            return nil
        }
        return await users.changePassword(
            code.userID, tenantID: code.tenantID, seenHash: account.passwordHash, newHash: newHash, event: event,
            deadline: deadline)
    }

    func verifyEmail(with code: StoredCode, event: DomainEvent, deadline: Deadline) async -> UUID? {
        guard let kept = codes[code.id], isLive(kept) else { return nil }
        codes[code.id]?.isUsed = true
        verified.insert(code.userID)
        await users.verifyEmail(of: code.userID, event: event)
        return code.userID
    }

    func isSent(
        _ eventID: UUID, to userID: UUID, kind: MailKind, hourlyLimit: Int, deadline: Deadline
    ) -> Bool {
        sent[eventID] != nil || sent.values.filter { $0 == SentMail(userID: userID, kind: kind) }.count >= hourlyLimit
    }

    func markSent(_ eventID: UUID, to userID: UUID, kind: MailKind, deadline: Deadline) {
        sent[eventID] = SentMail(userID: userID, kind: kind)
    }

    func passwordHistory(of userID: UUID, tenantID: UUID, limit: Int, deadline: Deadline) -> [String] { [] }

    // MARK: - Changes of address

    private struct Change {
        var userID: UUID
        var email: Identifier
        var old: String?
    }

    private var changes: [UUID: Change] = [:]

    func requestEmailChange(
        _ email: Identifier, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async {
        changes[event.id] = Change(userID: userID, email: email)
        await users.record(event)
    }

    func issueEmailChange(_ code: NewCode, deadline: Deadline) async -> StoredCode? {
        if let kept = codes[code.id] { return kept.stored }
        guard let change = changes[code.id] else { return nil }
        if case .found = await users.lookUp(change.email, tenantID: code.tenantID, deadline: deadline) { return nil }
        let stored = StoredCode(
            id: code.id, userID: code.userID, tenantID: code.tenantID, target: change.email.text, salt: code.salt)
        codes[code.id] = Kept(stored: stored, purpose: .emailChange, expiresAt: code.expiresAt)
        return stored
    }

    func attemptEmailChange(
        of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async -> [StoredCode] {
        await users.record(event)
        var live: [StoredCode] = []
        for (id, kept) in codes where kept.stored.userID == userID && kept.purpose == .emailChange {
            guard isLive(kept), kept.attempts < OneTimeCodes.attemptLimit else { continue }
            codes[id]?.attempts += 1
            live.append(kept.stored)
        }
        return live
    }

    func changeEmail(with code: StoredCode, event: DomainEvent, deadline: Deadline) async throws -> Bool {
        guard let kept = codes[code.id], isLive(kept), let change = changes[code.id] else { return false }
        codes[code.id]?.isUsed = true
        changes[code.id]?.old = try await users.changeEmail(
            of: code.userID, tenantID: code.tenantID, to: change.email, event: event)
        return true
    }

    func replacedEmail(_ changeID: UUID, deadline: Deadline) async -> String? {
        if let change = changes[changeID] { return change.old }
        return await users.replacedEmails[changeID]
    }

    private func isLive(_ kept: Kept) -> Bool { !kept.isUsed && kept.expiresAt > Date() }
}
