import ConnectionKit
import Contracts
import Foundation
import MFAService

/// Second factors in memory, by the same rules.
actor InMemoryMFARepository: MFARepository, PasskeyRepository {
    private struct Person {
        var tenantID: UUID
        var totp: TOTPEnrolment?
        var lastStep: Int64 = 0
        var codes: [StoredRecoveryCode] = []
        var used: Set<UUID> = []
        var version: Int64 = 0
        var told: Int64 = 0
        var toldReport: Int64 = 0
        var isDue = false
        var failures = 0
        var blockedUntil: Date?
        var passkeys: [Passkey] = []

        var methods: [MFAMethod] { (totp?.enabledAt == nil ? [] : [.totp]) + (passkeys.isEmpty ? [] : [.webauthn]) }
    }

    private struct OpenChallenge {
        var challenge: Challenge
        var attempts = 0
        var isConsumed = false
    }

    private var last: Int64 = 0
    private var people: [UUID: Person] = [:]
    private var challenges: [UUID: OpenChallenge] = [:]
    private var registrations: [[UInt8]: (userID: UUID, tenantID: UUID, end: Date)] = [:]
    private(set) var events: [DomainEvent] = []

    private func person(_ userID: UUID, _ tenantID: UUID) -> Person? {
        people[userID].flatMap { $0.tenantID == tenantID ? $0 : nil }
    }

    func factors(of userID: UUID, tenantID: UUID, deadline: Deadline) -> UserFactors {
        var factors = UserFactors()
        guard let person = person(userID, tenantID) else { return factors }
        factors.totp = person.totp
        factors.hasPasskey = !person.passkeys.isEmpty
        factors.unusedRecoveryCodes = person.codes.count - person.used.count
        factors.version = person.version
        factors.toldVersion = person.told
        return factors
    }

    func propose(_ enrolment: TOTPEnrolment, deadline: Deadline) -> Bool {
        var person = people[enrolment.userID] ?? Person(tenantID: enrolment.tenantID)
        guard person.tenantID == enrolment.tenantID, person.totp?.enabledAt == nil else { return false }
        person.totp = enrolment
        person.lastStep = 0
        people[enrolment.userID] = person
        return true
    }

    func enable(
        _ enrolment: TOTPEnrolment, step: Int64, codes: [StoredRecoveryCode], now: Date, again: Bool,
        events: [DomainEvent], deadline: Deadline
    ) -> Bool {
        guard var person = person(enrolment.userID, enrolment.tenantID), person.totp?.id == enrolment.id,
            person.totp?.enabledAt == nil || again
        else { return false }
        if person.totp?.enabledAt == nil { person.totp?.enabledAt = now }
        person.lastStep = max(person.lastStep, step)
        (person.codes, person.used) = (codes, [])
        person.version += 1
        people[enrolment.userID] = person
        self.events += events
        return true
    }

    func disableTOTP(of userID: UUID, tenantID: UUID, now: Date, event: DomainEvent, deadline: Deadline) -> Bool {
        guard var person = person(userID, tenantID), person.totp?.enabledAt != nil else { return false }
        person.totp = nil
        if person.methods.isEmpty { (person.codes, person.used) = ([], []) }
        person.version += 1
        people[userID] = person
        events.append(event)
        return true
    }

    func replaceCodes(
        of userID: UUID, tenantID: UUID, with codes: [StoredRecoveryCode], now: Date, event: DomainEvent,
        deadline: Deadline
    ) -> Bool {
        guard var person = person(userID, tenantID), !person.methods.isEmpty else { return false }
        (person.codes, person.used) = (codes, [])
        people[userID] = person
        events.append(event)
        return true
    }

    func unusedCode(of userID: UUID, tenantID: UUID, hash: [UInt8], deadline: Deadline) -> UUID? {
        guard let person = person(userID, tenantID) else { return nil }
        return person.codes.first { $0.hash == hash && !person.used.contains($0.id) }?.id
    }

    func open(_ challenge: Challenge, deadline: Deadline) throws -> Challenge {
        if let known = challenges[challenge.id] {
            guard known.challenge.userID == challenge.userID, known.challenge.tenantID == challenge.tenantID else {
                throw MFAError.challengeOver
            }
            return known.challenge
        }
        challenges[challenge.id] = OpenChallenge(challenge: challenge)
        return challenge
    }

    func claimAttempt(
        _ challengeID: UUID, userID: UUID, tenantID: UUID, guessable: Bool, now: Date, deadline: Deadline
    ) -> AttemptClaim {
        if guessable, let until = person(userID, tenantID)?.blockedUntil, until > now { return .blocked(until: until) }
        guard let open = challenges[challengeID], open.challenge.userID.map({ $0 == userID }) ?? true,
            open.challenge.tenantID == tenantID, !open.isConsumed, open.challenge.expiresAt > now,
            open.attempts < Challenge.maximumAttempts
        else { return .challengeOver }
        challenges[challengeID]?.attempts += 1
        if guessable, let failures = people[userID]?.failures {
            people[userID]?.failures = failures + 1
            let wait = AttemptLadder.seconds(after: failures + 1)
            people[userID]?.blockedUntil = wait > 0 ? now.addingTimeInterval(Double(wait)) : nil
        }
        return .granted(nonce: open.challenge.nonce)
    }

    func acceptStep(
        _ step: Int64, of enrolment: TOTPEnrolment, challenge: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) -> Bool {
        guard var person = person(enrolment.userID, enrolment.tenantID), person.totp?.enabledAt != nil,
            person.lastStep < step
        else { return false }
        person.lastStep = step
        person.totp?.lastUsedAt = now
        guard challenges[challenge]?.isConsumed == false else { return false }
        challenges[challenge]?.isConsumed = true
        (person.failures, person.blockedUntil) = (0, nil)
        people[enrolment.userID] = person
        events.append(event)
        return true
    }

    func acceptCode(
        _ codeID: UUID, of userID: UUID, tenantID: UUID, challenge: UUID, now: Date, events: [DomainEvent],
        deadline: Deadline
    ) -> Bool {
        guard var person = person(userID, tenantID), person.codes.contains(where: { $0.id == codeID }),
            !person.used.contains(codeID), challenges[challenge]?.isConsumed == false
        else { return false }
        person.used.insert(codeID)
        (person.failures, person.blockedUntil) = (0, nil)
        challenges[challenge]?.isConsumed = true
        people[userID] = person
        self.events += events
        return true
    }

    func reset(_ userID: UUID, tenantID: UUID, now: Date, event: DomainEvent, deadline: Deadline) -> Bool {
        guard let person = person(userID, tenantID), person.version > 0 else { return false }
        var empty = Person(tenantID: tenantID)
        (empty.version, empty.told) = (person.version + 1, person.told)
        people[userID] = empty
        events.append(event)
        return true
    }

    func append(_ event: DomainEvent, deadline: Deadline) { events.append(event) }

    func untold(limit: Int, deadline: Deadline) -> [SecondFactorState] {
        people.filter { $0.value.told < $0.value.version || $0.value.isDue }.prefix(limit).map { id, person in
            SecondFactorState(userID: id, tenantID: person.tenantID, methods: person.methods, version: person.version)
        }
    }

    func lastReport(deadline: Deadline) -> Int64 { last }

    func markTold(_ states: [SecondFactorState], report: Int64, deadline: Deadline) {
        last = max(last, report)
        for state in states {
            guard var person = people[state.userID] else { continue }
            (person.told, person.toldReport, person.isDue) = (max(person.told, state.version), report, false)
            people[state.userID] = person
        }
    }

    func forgetTold(after last: Int64, deadline: Deadline) -> Int {
        let forgotten = people.filter { $0.value.toldReport > last && !$0.value.isDue }.keys
        for id in forgotten { people[id]?.isDue = true }
        return forgotten.count
    }

    func keyIDsInUse(deadline: Deadline) -> [String] {
        Array(Set(people.values.compactMap { $0.totp?.secret.keyID }))
    }

    func enrolments(notUnder keyID: String, limit: Int, deadline: Deadline) -> [TOTPEnrolment] {
        Array(people.values.compactMap(\.totp).filter { $0.secret.keyID != keyID }.prefix(limit))
    }

    func reseal(_ enrolment: TOTPEnrolment, as sealed: FactorCipher.Sealed, deadline: Deadline) -> Bool {
        guard people[enrolment.userID]?.totp?.secret == enrolment.secret else { return false }
        people[enrolment.userID]?.totp?.secret = sealed
        return true
    }

    // MARK: - Passkeys

    func passkeys(of userID: UUID, tenantID: UUID, deadline: Deadline) -> [Passkey] {
        person(userID, tenantID)?.passkeys ?? []
    }

    func passkey(credentialID: [UInt8], tenantID: UUID, deadline: Deadline) -> Passkey? {
        people.values.flatMap(\.passkeys).first { $0.credentialID == credentialID && $0.tenantID == tenantID }
    }

    func beginRegistration(_ nonce: [UInt8], of userID: UUID, tenantID: UUID, expiresAt: Date, deadline: Deadline) {
        registrations[nonce] = (userID, tenantID, expiresAt)
    }

    func takeRegistration(_ nonce: [UInt8], of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> Bool {
        guard let known = registrations[nonce], known.userID == userID, known.tenantID == tenantID, known.end > now
        else { return false }
        registrations[nonce] = nil
        return true
    }

    func insert(_ passkey: Passkey, codes: [StoredRecoveryCode], events: [DomainEvent], deadline: Deadline) -> Bool {
        var person = people[passkey.userID] ?? Person(tenantID: passkey.tenantID)
        let isTaken = people.values.contains { $0.passkeys.contains { $0.credentialID == passkey.credentialID } }
        guard person.tenantID == passkey.tenantID, !isTaken, person.passkeys.count < Passkey.maximumCount else {
            return false
        }
        person.passkeys.append(passkey)
        if !codes.isEmpty { (person.codes, person.used) = (codes, []) }
        person.version += 1
        people[passkey.userID] = person
        self.events += events
        return true
    }

    func rename(
        _ id: UUID, of userID: UUID, tenantID: UUID, to name: String, event: DomainEvent, deadline: Deadline
    ) -> Passkey? {
        guard let index = person(userID, tenantID)?.passkeys.firstIndex(where: { $0.id == id }) else { return nil }
        people[userID]?.passkeys[index].name = name
        events.append(event)
        return people[userID]?.passkeys[index]
    }

    func remove(_ id: UUID, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) -> Bool {
        guard var person = person(userID, tenantID), person.passkeys.contains(where: { $0.id == id }) else {
            return false
        }
        person.passkeys.removeAll { $0.id == id }
        if person.methods.isEmpty { (person.codes, person.used) = ([], []) }
        person.version += 1
        people[userID] = person
        events.append(event)
        return true
    }

    func accept(
        _ passkey: Passkey, signCount: Int64, challenge: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) -> PasskeyVerdict {
        guard let index = people[passkey.userID]?.passkeys.firstIndex(where: { $0.id == passkey.id }) else {
            return .refused
        }
        let known = people[passkey.userID]?.passkeys[index].signCount ?? 0
        guard known < signCount || (known == 0 && signCount == 0) else { return .counterFell }
        guard challenges[challenge]?.isConsumed == false else { return .refused }
        challenges[challenge]?.isConsumed = true
        people[passkey.userID]?.passkeys[index].signCount = signCount
        people[passkey.userID]?.passkeys[index].lastUsedAt = now
        people[passkey.userID]?.failures = 0
        people[passkey.userID]?.blockedUntil = nil
        events.append(event)
        return .accepted
    }
}
