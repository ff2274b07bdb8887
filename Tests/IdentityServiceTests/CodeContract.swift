import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import Mail
import MicroMiddleware
import Synchronization
import Testing

@Suite("Codes by mail, on every store", .serialized)
struct CodeContract {
    @Test("A code resets the password once, of fifty that use it at once", arguments: IdentityStore.allCases)
    func singleUse(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let code = try await room.code(.passwordResetRequested, user)
        let wins = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<50 {
                group.addTask {
                    do {
                        try await room.reset.reset(
                            "ann", code: code, to: "new password \(number)", tenantID: user.tenantID,
                            origin: makeOrigin())
                        return true
                    } catch {
                        #expect(error as? IdentityError == .codeInvalid)
                        return false
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(wins == 1)
    }

    @Test("An event that comes twice sends one mail with one code", arguments: IdentityStore.allCases)
    func idempotent(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let event = try room.event(.passwordResetRequested, user)
        try await room.notifications.handle(event)
        try await room.notifications.handle(event)
        #expect(room.mailbox.mails.count == 1)
    }

    @Test("A mail that could not be sent goes later, with the same code", arguments: IdentityStore.allCases)
    func resent(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let event = try room.event(.passwordResetRequested, user)
        room.mailbox.isAway.withLock { $0 = true }
        await #expect(throws: MailError.self) { try await room.notifications.handle(event) }
        room.mailbox.isAway.withLock { $0 = false }
        try await room.notifications.handle(event)
        let mails = room.mailbox.mails
        #expect(mails.count == 2 && mails[0].plainText == mails[1].plainText)
        try await room.reset.verify(room.newestCode(), identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
    }

    @Test("A hundred wrong guesses end a code, and one asked for later is good", arguments: IdentityStore.allCases)
    func attempts(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let code = try await room.code(.passwordResetRequested, user)
        for _ in 0..<OneTimeCodes.attemptLimit {
            await #expect(throws: IdentityError.codeInvalid) {
                try await room.reset.verify(
                    "AAAA-AAAA", identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
            }
        }
        await #expect(throws: IdentityError.codeInvalid) {
            try await room.reset.verify(code, identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
        }
        let next = try await room.code(.passwordResetRequested, user)
        try await room.reset.verify(
            next.lowercased().replacing("-", with: " "), identity: "ANN@example.org", tenantID: user.tenantID,
            origin: makeOrigin())
    }

    @Test("No more than ten codes an hour are sent to one user", arguments: IdentityStore.allCases)
    func bounded(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        for _ in 0..<13 { try await room.notifications.handle(try room.event(.passwordResetRequested, user)) }
        #expect(room.mailbox.mails.count == OneTimeCodes.hourlyLimit)
    }

    @Test(
        "Three of them go to who asks from one address, and the rest to whom it may concern",
        arguments: IdentityStore.allCases)
    func stranger(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        func ask(from address: String) async throws -> Int {
            try await room.notifications.handle(try room.event(.passwordResetRequested, user, from: address))
            return room.mailbox.mails.count
        }
        var counts: [Int] = []
        for _ in 0..<6 { counts.append(try await ask(from: "203.0.113.9")) }
        #expect(counts == [1, 2, 3, 3, 3, 3])
        // What was sent stays good, and somebody else still gets one.
        try await room.reset.verify(room.newestCode(), identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
        #expect(try await ask(from: "2001:db8:1:2::1") == 4)
        // One who has a whole /64 gets three all the same.
        for host in 2...5 { _ = try await ask(from: "2001:db8:1:2:\(host)::1") }
        #expect(room.mailbox.mails.count == 6)
        // An address that many share is not counted by.
        for _ in 0..<4 { _ = try await ask(from: "127.0.0.1") }
        #expect(room.mailbox.mails.count == OneTimeCodes.hourlyLimit)
    }

    @Test("Wrong codes hold up whoever guesses, and the code's owner comes through", arguments: ["ann", "nobody"])
    func held(identity: String) async throws {
        let throttle = CountingThrottle(limit: 3)
        let room = try await Room(.memory, throttle: throttle)
        let user = try await room.register()
        for _ in 0..<3 {
            await #expect(throws: IdentityError.codeInvalid) {
                try await room.reset.verify(
                    "AAAA-AAAA", identity: identity, tenantID: user.tenantID, origin: makeOrigin())
            }
        }
        await #expect(throws: IdentityError.throttled(retryAfter: .seconds(1))) {
            try await room.reset.reset(
                identity, code: "AAAA-AAAA", to: "another horse", tenantID: user.tenantID, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.throttled(retryAfter: .seconds(1))) {
            try await room.verification.verify(
                "AAAA-AAAA", identity: identity, tenantID: user.tenantID, origin: makeOrigin())
        }
        #expect(throttle.identities == ["code.\(identity)"])
    }

    @Test("A code is good for one purpose, one user and its time", arguments: IdentityStore.allCases)
    func bound(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let code = try await room.code(.emailVerificationRequested, user)
        await #expect(throws: IdentityError.codeInvalid) {
            try await room.reset.verify(code, identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.codeInvalid) {
            try await room.verification.verify(code, identity: "bob", tenantID: user.tenantID, origin: makeOrigin())
        }
        try await room.verification.verify(code, identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
        await #expect(throws: IdentityError.codeInvalid) {
            try await room.verification.verify(code, identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
        }
        // Verified already: nothing to send.
        let count = room.mailbox.mails.count
        try await room.notifications.handle(try room.event(.emailVerificationRequested, user))
        #expect(room.mailbox.mails.count == count)
        // Asked for too long ago.
        try await room.notifications.handle(
            try room.event(.passwordResetRequested, user, at: Date() - CodePurpose.passwordReset.lifetime - 1))
        #expect(room.mailbox.mails.count == count)
    }

    @Test("Asking for a code writes one event, whoever it is about", arguments: IdentityStore.allCases)
    func alike(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        for identity in ["ann", "nobody", "ann@example.org", "nobody@example.org", "", "+49301234567"] {
            try await room.reset.request(identity, tenantID: user.tenantID, origin: makeOrigin())
            try await room.verification.request(identity, tenantID: user.tenantID, origin: makeOrigin())
        }
        try await room.reset.request("ann", tenantID: UUID(), origin: makeOrigin())
    }
}

extension CodeContract {
    @Test(
        "An address changes with a code that came to the new one, and the old one is told",
        arguments: IdentityStore.allCases)
    func emailChange(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let claims = claims(of: user, signedInAt: Date())
        try await room.emailChange.request("new@example.org", by: claims, origin: makeOrigin())
        let asked = try #require(await room.lastEvent(.emailChangeRequested))
        try await room.notifications.handle(asked)
        #expect(room.mailbox.mails.last?.recipient == "new@example.org")
        let code = room.newestCode()
        await #expect(throws: IdentityError.codeInvalid) {
            try await room.emailChange.confirm("AAAA-AAAA", by: claims, origin: makeOrigin())
        }
        try await room.emailChange.confirm(code, by: claims, origin: makeOrigin())
        await #expect(throws: IdentityError.codeInvalid) {
            try await room.emailChange.confirm(code, by: claims, origin: makeOrigin())
        }
        let account = try #require(
            try await room.repository.account(
                user.id, tenantID: user.tenantID, deadline: makeOrigin().scope.deadline))
        #expect(account.user.email == "new@example.org" && account.user.emailVerifiedAt != nil)
        try await room.notifications.handle(try #require(await room.lastEvent(.emailChanged)))
        #expect(room.mailbox.mails.last?.recipient == "ann@example.org")
    }

    @Test(
        "Of a new device only an address hears that is verified: the others may be strangers'",
        arguments: IdentityStore.allCases)
    func newDevice(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        try await room.notifications.handle(try room.event(.deviceNew, user))
        #expect(room.mailbox.mails.isEmpty)
        let code = try await room.code(.emailVerificationRequested, user)
        try await room.verification.verify(code, identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
        try await room.notifications.handle(try room.event(.deviceNew, user))
        #expect(room.mailbox.mails.count == 2 && room.mailbox.mails.last?.recipient == "ann@example.org")
    }

    @Test("An address that an administrator replaces is told, once, and no other is", arguments: IdentityStore.allCases)
    func replacedByAdministrator(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let world = TenancyWorld(room.tenancy)
        let admin = try await world.person("root", roles: ["owner"])
        func change(_ email: String?, name: String? = nil) async throws -> [DomainEvent] {
            let changes = UserChanges(email: try email.map(Identifier.email), name: name.map(FieldChange.set) ?? .keep)
            _ = try await world.users.update(user.id, changes, by: admin, origin: makeOrigin())
            return try await room.events().filter { $0.type == .emailChanged }
        }
        #expect(try await change(nil, name: "Ann").isEmpty)
        #expect(try await change("ANN@example.org").isEmpty, "the same address, written otherwise")
        let told = try await change("new@example.org", name: "Anna")
        #expect(told.count == 1)
        for _ in 0..<2 { try await room.notifications.handle(try #require(told.first)) }
        #expect(room.mailbox.mails.count == 1)
        let mail = try #require(room.mailbox.mails.last)
        #expect(mail.recipient.lowercased() == "ann@example.org" && mail.subject.contains("was changed"))
    }

    @Test("A reset code that went to an address which the user has left is void", arguments: IdentityStore.allCases)
    func leftAddress(store: IdentityStore) async throws {
        let room = try await Room(store)
        let user = try await room.register()
        let old = try await room.code(.passwordResetRequested, user)
        // Looked at before the change, and to be used after it.
        let tried = try room.event(.codeTried, user)
        let live = try await room.codes.attempt(
            .passwordReset, identifier: .guess("ann"), tenantID: user.tenantID, event: tried,
            deadline: makeOrigin().scope.deadline)
        #expect(live.map(\.target) == ["ann@example.org"])
        let claims = claims(of: user, signedInAt: Date())
        try await room.emailChange.request("new@example.org", by: claims, origin: makeOrigin())
        try await room.notifications.handle(try #require(await room.lastEvent(.emailChangeRequested)))
        try await room.emailChange.confirm(room.newestCode(), by: claims, origin: makeOrigin())
        for identity in ["ann", "new@example.org"] {
            await #expect(throws: IdentityError.codeInvalid) {
                try await room.reset.verify(old, identity: identity, tenantID: user.tenantID, origin: makeOrigin())
            }
            await #expect(throws: IdentityError.codeInvalid) {
                try await room.reset.reset(
                    identity, code: old, to: "another horse", tenantID: user.tenantID, origin: makeOrigin())
            }
        }
        let changed = try await room.codes.resetPassword(
            with: try #require(live.first), newHash: "v1:another horse", event: try room.event(.passwordReset, user),
            deadline: makeOrigin().scope.deadline)
        #expect(changed == nil)
        // One that goes to the new address is good.
        let new = try await room.code(.passwordResetRequested, user)
        try await room.reset.verify(new, identity: "ann", tenantID: user.tenantID, origin: makeOrigin())
    }

    @Test("An address changes only soon after a sign-in")
    func stale() async throws {
        let room = try await Room(.memory)
        let user = try await room.register()
        await #expect(throws: IdentityError.reauthenticationNeeded) {
            try await room.emailChange.request(
                "new@example.org", by: claims(of: user, signedInAt: Date() - AccessTokenClaims.freshness - 1),
                origin: makeOrigin())
        }
    }

    private func claims(of user: User, signedInAt: Date) -> AccessTokenClaims {
        AccessTokenClaims(
            issuer: "test", audience: "test", subject: user.id, tenantID: user.tenantID, roles: ["member"],
            sessionID: UUID(), tokenID: UUID(), issuedAt: Date(), expiresAt: Date() + 60, authenticatedAt: signedInAt,
            methods: ["pwd"])
    }
}

/// The rules over one store, with a mailbox instead of a mail server.
private struct Room: Sendable {
    let repository: any IdentityRepository
    let codes: any CodeRepository
    let tenancy: Tenancy
    let events: @Sendable () async throws -> [DomainEvent]
    let reset: PasswordReset
    let verification: EmailVerification
    let emailChange: EmailChange
    let notifications: Notifications
    let mailbox = Mailbox()

    init(_ store: IdentityStore, throttle: any Throttling = NoThrottle()) async throws {
        let made = try await store.makeWithCodes()
        repository = made.users
        codes = made.codes
        tenancy = made.tenancy
        let oneTime = OneTimeCodes(pepper: testPepper)
        let logger = Logger(label: "test")
        let accounts = CachedAccounts(made.users, cache: nil)
        reset = PasswordReset(
            repository: made.users, codes: made.codes, oneTime: oneTime, hasher: CountingHasher(),
            accounts: accounts, throttle: throttle)
        verification = EmailVerification(
            codes: made.codes, oneTime: oneTime, accounts: accounts, throttle: throttle)
        emailChange = EmailChange(changes: made.codes, oneTime: oneTime, accounts: accounts)
        events = made.events
        notifications = Notifications(
            repository: made.users, codes: made.codes, deletions: NoDeletions(),
            invitations: made.tenancy.invitations, oneTime: oneTime,
            invitationCodes: InvitationCodes(pepper: testPepper), templates: try .shipped(), transport: mailbox,
            addresses: CountedAddresses(trusted: ["127.0.0.0/8"].compactMap { AddressRange($0) }),
            metrics: MetricsRegistry(), logger: logger)
    }

    func register() async throws -> User {
        try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(email: "ann@example.org", username: "ann", password: "correct horse"),
            origin: makeOrigin())
    }

    func event(
        _ type: EventType, _ user: User, at time: Date = Date(), from address: String? = nil
    ) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: user.id.text, tenantID: user.tenantID, time: time, data: EventDetail(ip: address))
    }

    func code(_ type: EventType, _ user: User) async throws -> String {
        try await notifications.handle(try event(type, user))
        return newestCode()
    }

    func lastEvent(_ type: EventType) async -> DomainEvent? {
        (try? await events())?.last { $0.type == type }
    }

    func newestCode() -> String {
        let lines = mailbox.mails.last?.plainText.split(separator: "\n") ?? []
        return lines.first { $0.hasPrefix("    ") }.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
    }
}

extension MailTemplates {
    /// Those of the product.
    static func shipped() throws -> MailTemplates {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try MailTemplates(directory: root.appending(path: "configs/mail").path())
    }
}

/// Keeps what was sent, also what it then says it could not send.
final class Mailbox: MailTransport {
    let isAway = Mutex(false)
    private let kept = Mutex<[MailMessage]>([])

    var mails: [MailMessage] { kept.withLock { $0 } }

    func send(_ message: MailMessage, deadline: Deadline) throws(MailError) {
        kept.withLock { $0.append(message) }
        if isAway.withLock({ $0 }) { throw MailError(.unavailable, "away") }
    }
}

/// For mails none of which is about a deletion.
struct NoDeletions: DeletionRepository {
    func delete(_ userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) -> Stored<Deletion>? { nil }
    func finishDeletion(of userID: UUID, tenantID: UUID, eventID: UUID, deadline: Deadline) {}
    func hosts(of userID: UUID, deadline: Deadline) -> [UUID] { [] }
    func recordErasure(
        of userID: UUID, tenantID: UUID, by service: String, completion: DomainEvent, deadline: Deadline
    ) {}
    func deletion(_ id: UUID, deadline: Deadline) -> Deletion? { nil }
    func takeLastAddress(of userID: UUID, forget: Bool, deadline: Deadline) -> String? { nil }
    func requestExport(
        of userID: UUID, tenantID: UUID, expiresAt: Date, event: DomainEvent, deadline: Deadline
    ) -> DataExport? { nil }
    func storeExport(_ id: UUID, bundle: [UInt8], event: DomainEvent, deadline: Deadline) {}
    func export(_ id: UUID, of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> DataExport? { nil }
    func personalData(of userID: UUID, tenantID: UUID, deadline: Deadline) -> [String: String] { [:] }
}
