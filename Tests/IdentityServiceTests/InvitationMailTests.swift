import Contracts
import Foundation
import IdentityService
import Logging
import Mail
import MicroMiddleware
import Synchronization
import Testing

@Suite("Invitations by mail, on every store", .serialized)
struct InvitationMailTests {
    @Test("The code goes to the address, once, and the event holds neither", arguments: IdentityStore.allCases)
    func mailed(store: IdentityStore) async throws {
        let desk = try await Desk(store)
        let made = try await desk.invite("Ann@Example.org")
        let event = try #require(try await desk.created(made.invitation))
        for secret in [made.code.text, "ann@example.org"] {
            #expect(!event.data.lowercased().contains(secret), "the event holds \(secret)")
        }
        for _ in 0..<2 { try await desk.notifications.handle(event) }
        #expect(desk.mailbox.mails.map(\.recipient) == ["Ann@Example.org"])
        let mail = try #require(desk.mailbox.mails.first)
        #expect(mail.plainText.contains("\n    \(made.code.text)\n") && mail.html.contains(made.code.text))
        // And it is good.
        let user = try await Registration(
            repository: desk.world.store.repository, hasher: CountingHasher(), invitations: desk.world.store.invitations
        ).register(
            RegistrationForm(email: "ann@example.org", password: "correct horse", invitationCode: made.code.text),
            origin: makeOrigin())
        #expect(user.roles == ["member"])
    }

    @Test("A mail that could not be sent goes later, with the same code", arguments: IdentityStore.allCases)
    func resent(store: IdentityStore) async throws {
        let desk = try await Desk(store)
        let made = try await desk.invite("ann@example.org")
        desk.mailbox.isAway.withLock { $0 = true }
        await #expect(throws: MailError.self) { try await desk.mail(made.invitation) }
        desk.mailbox.isAway.withLock { $0 = false }
        try await desk.mail(made.invitation)
        let mails = desk.mailbox.mails
        #expect(mails.count == 2 && mails.allSatisfy { $0.plainText.contains(made.code.text) })
    }

    @Test("Without an address, revoked, or used, there is nothing to mail", arguments: IdentityStore.allCases)
    func nothing(store: IdentityStore) async throws {
        let desk = try await Desk(store)
        try await desk.mail(desk.invite(nil).invitation)
        let revoked = try await desk.invite("bob@example.org").invitation
        try await desk.world.invitations.revoke(revoked.id, by: desk.owner, origin: makeOrigin())
        try await desk.mail(revoked)
        let used = try await desk.invite("carl@example.org")
        _ = try await Registration(repository: desk.world.store.repository, hasher: CountingHasher()).register(
            RegistrationForm(email: "carl@example.org", password: "correct horse", invitationCode: used.code.text),
            origin: makeOrigin())
        try await desk.mail(used.invitation)
        #expect(desk.mailbox.mails.isEmpty)
    }

    @Test(
        "One address gets three of a tenant in an hour, and what others send there besides",
        arguments: IdentityStore.allCases)
    func bounded(store: IdentityStore) async throws {
        let desk = try await Desk(store)
        for _ in 0..<5 { try await desk.mail(desk.invite("ann@example.org").invitation) }
        #expect(desk.mailbox.mails.count == Invitations.hourlyLimitOfAddress)
        try await desk.mail(desk.invite("bob@example.org").invitation)
        let (_, owner) = try await desk.world.tenant("acme", by: desk.owner)
        try await desk.mail(desk.invite("ann@example.org", by: owner).invitation)
        #expect(
            desk.mailbox.mails.dropFirst(Invitations.hourlyLimitOfAddress).map(\.recipient) == [
                "bob@example.org", "ann@example.org",
            ])
        // Asking for more than its share takes nothing from another tenant's; together they have a limit, too.
        for name in ["beta", "gamma", "delta"] {
            let (_, owner) = try await desk.world.tenant(name, by: desk.owner)
            for _ in 0..<5 { try await desk.mail(desk.invite("ann@example.org", by: owner).invitation) }
        }
        let mailed = desk.mailbox.mails.count { $0.recipient == "ann@example.org" }
        #expect(mailed == Invitations.hourlyLimitOfAddressInAll)
    }

    @Test(
        "Who invites is told of their own tenant's limit, and nothing of what others send there",
        arguments: IdentityStore.allCases)
    func told(store: IdentityStore) async throws {
        let desk = try await Desk(store)
        #expect(try await desk.invite(nil).delivery == .byHand)
        for number in 1...5 {
            let delivery = try await desk.invite("ann@example.org").delivery
            #expect(delivery == (number <= Invitations.hourlyLimitOfAddress ? .mail : .withheld), "\(number)")
        }
        #expect(try await desk.invite("bob@example.org").delivery == .mail)
        // Together they have more than all may, and still each is told of its own alone.
        for name in ["acme", "beta", "gamma", "delta"] {
            let (_, owner) = try await desk.world.tenant(name, by: desk.owner)
            for number in 1...4 {
                let delivery = try await desk.invite("ann@example.org", by: owner).delivery
                let own: InvitationDelivery = number <= Invitations.hourlyLimitOfAddress ? .mail : .withheld
                #expect(delivery == own, "\(name) \(number)")
            }
        }
    }

    @Test(
        "A tenant's name that could be followed is not told to strangers",
        arguments: [
            ("Acme Inc.", "Acme Inc."), ("St. Mary", "St. Mary"), ("Locked: see evil.example", "acme"),
            ("evil.example", "acme"), ("a@b", "acme"), ("//evil", "acme"), ("Müller & Söhne", "Müller & Söhne"),
        ])
    func name(shown: String, told: String) {
        #expect(Notifications.nameForStrangers(displayName: shown, slug: "acme") == told)
    }

    @Test("Where the pepper is another, no mail holds a code that is none", arguments: IdentityStore.allCases)
    func otherPepper(store: IdentityStore) async throws {
        let desk = try await Desk(store, pepper: Secret("another pepper of thirty-two bytes"))
        let made = try await desk.invite("ann@example.org")
        await #expect(throws: InvitationCodeUnknown.self) { try await desk.mail(made.invitation) }
        #expect(desk.mailbox.mails.isEmpty)
    }

    @Test("A code is made of its invitation and its salt alone, and each is another")
    func codes() throws {
        let (codes, id) = (InvitationCodes(pepper: testPepper), UUID.v7())
        let (salt, other) = (OneTimeCodes.salt(), OneTimeCodes.salt())
        let text = codes.code(id: id, salt: salt).text
        #expect(text == codes.code(id: id, salt: salt).text && InvitationCode(typed: text)?.text == text)
        #expect(text != codes.code(id: id, salt: other).text && text != codes.code(id: .v7(), salt: salt).text)
        #expect(InvitationCode().text.utf8.count == 32 && InvitationCode().text != InvitationCode().text)
    }
}

/// Somebody who invites, and whoever sends the mails.
private struct Desk: Sendable {
    let world: TenancyWorld
    let owner: AccessTokenClaims
    let events: @Sendable () async throws -> [DomainEvent]
    let notifications: Notifications
    let mailbox = Mailbox()

    /// - Parameter pepper: of whoever sends the mails.
    init(_ store: IdentityStore, pepper: Secret<String> = testPepper) async throws {
        let made = try await store.makeWithCodes()
        world = TenancyWorld(made.tenancy)
        owner = try await world.person("owner", roles: ["owner"])
        events = made.events
        notifications = Notifications(
            repository: made.users, codes: made.codes, deletions: NoDeletions(),
            invitations: made.tenancy.invitations, oneTime: OneTimeCodes(pepper: pepper),
            invitationCodes: InvitationCodes(pepper: pepper), templates: try .shipped(), transport: mailbox,
            metrics: MetricsRegistry(), logger: Logger(label: "test"))
    }

    func invite(
        _ email: String?, by inviter: AccessTokenClaims? = nil
    ) async throws -> (invitation: Invitation, code: InvitationCode, delivery: InvitationDelivery) {
        try await world.invitations.create(
            email: email, roles: [], lifetime: nil, by: inviter ?? owner, origin: makeOrigin())
    }

    func created(_ invitation: Invitation) async throws -> DomainEvent? {
        try await events().first { $0.type == .invitationCreated && $0.subject == invitation.id.text }
    }

    /// As the event calls for it.
    func mail(_ invitation: Invitation) async throws {
        try await notifications.handle(try #require(try await created(invitation)))
    }
}
