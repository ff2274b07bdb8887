import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Who gives what, and manages whom, in every store", .serialized)
struct DelegationContract {
    @Test(
        "nobody gives out, or takes over, an application's permission that they do not hold",
        arguments: IdentityStore.allCases)
    func applications(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        for (name, permissions) in [("payer", ["payments:*"]), ("teller", ["payments:read@7"])] {
            _ = try await world.roles.create(
                name: name, description: "", permissions: permissions, by: owner, origin: makeOrigin())
        }
        let carl = try await world.person("carl", roles: ["member", "payer"])
        let admin = try await world.person("admin", roles: ["admin"])
        try await expectRefusals(of: admin, over: carl, in: world)
        // Holding some of it is not holding it.
        let teller = try await world.person("teller", roles: ["admin", "teller"])
        try await expectRefusals(of: teller, over: carl, in: world)
        _ = try await world.creation.create(
            UserForm(username: "other-teller", roles: ["teller"]), by: teller, origin: makeOrigin())

        let cashier = try await world.person("cashier", roles: ["admin", "payer"])
        for role in ["payer", "teller"] {
            _ = try await world.creation.create(
                UserForm(username: "made-\(role)", roles: [role]), by: cashier, origin: makeOrigin())
            _ = try await world.invitations.create(
                email: nil, roles: [role], lifetime: nil, by: cashier, origin: makeOrigin())
        }
        _ = try await world.users.resetPassword(of: carl.subject, by: cashier, origin: makeOrigin())
        // Owners hold everything, whatever it is called.
        _ = try await world.users.resetPassword(of: carl.subject, by: owner, origin: makeOrigin())
        _ = try await world.creation.create(
            UserForm(username: "last", roles: ["payer"]), by: owner, origin: makeOrigin())
        // The role is weighed as it is now, not as the token's holder found it.
        _ = try await world.roles.update(
            "payer", description: nil, permissions: ["payments:read"], by: owner, origin: makeOrigin())
        _ = try await world.roles.create(
            name: "refunder", description: "", permissions: ["payments:refund"], by: owner, origin: makeOrigin())
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.creation.create(
                UserForm(username: "refunding", roles: ["refunder"]), by: cashier, origin: makeOrigin())
        }
    }

    private func expectRefusals(
        of admin: AccessTokenClaims, over carl: AccessTokenClaims, in world: TenancyWorld
    ) async throws {
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.creation.create(
                UserForm(username: "payer", roles: ["payer"]), by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.invitations.create(
                email: nil, roles: ["payer"], lifetime: nil, by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.users.resetPassword(of: carl.subject, by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            let changes = UserChanges(email: try Identifier.email("mine@example.org"))
            _ = try await world.users.update(carl.subject, changes, by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.users.setStatus(.disabled, of: carl.subject, by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            try await world.users.delete(carl.subject, by: admin, origin: makeOrigin())
        }
    }

    @Test(
        "no administrator takes an account over that holds more in another tenant", arguments: IdentityStore.allCases)
    func elsewhere(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let root = try await world.person("root", roles: ["owner"])
        let (acme, owner) = try await world.tenant("acme", by: root)
        let (beta, host) = try await world.tenant("beta", by: root)
        let alice = try await world.person("alice", roles: ["admin", "member"], tenantID: acme.id)
        let invitation = try await world.invitations.create(
            email: nil, roles: [], lifetime: nil, by: host, origin: makeOrigin())
        _ = try await world.invitations.accept(invitation.code.text, by: alice, origin: makeOrigin())
        let moved = UserChanges(email: try Identifier.email("moved@example.org"))
        // Who is no more than a member there is helped at home.
        _ = try await world.users.resetPassword(of: alice.subject, by: owner, origin: makeOrigin())
        _ = try await world.roles.assign(to: alice.subject, by: host, origin: makeOrigin()) { $0 + ["owner"] }

        func expectRefusals(by caller: AccessTokenClaims) async throws {
            await #expect(throws: IdentityError.holdsMoreElsewhere) {
                _ = try await world.users.resetPassword(of: alice.subject, by: caller, origin: makeOrigin())
            }
            await #expect(throws: IdentityError.holdsMoreElsewhere) {
                _ = try await world.users.update(alice.subject, moved, by: caller, origin: makeOrigin())
            }
        }
        try await expectRefusals(by: owner)
        // What gives nobody the account stays theirs to do, and the user's own calls are not held up.
        _ = try await world.users.update(
            alice.subject, UserChanges(name: .set("Alice")), by: owner, origin: makeOrigin())
        _ = try await world.users.setStatus(.disabled, of: alice.subject, by: host, origin: makeOrigin())
        // Shut out there, she may be let in again.
        try await expectRefusals(by: owner)
        let own = try await world.users.update(alice.subject, moved, by: alice, origin: makeOrigin())
        #expect(own.email == "moved@example.org")

        var operating = owner
        operating.subject = Operator.id
        _ = try await world.users.resetPassword(of: alice.subject, by: operating, origin: makeOrigin())
        try await world.users.delete(alice.subject, by: host, origin: makeOrigin())
        _ = try await world.users.resetPassword(of: alice.subject, by: owner, origin: makeOrigin())
        #expect(try await world.user(alice.subject, tenantID: beta.id) == nil)
    }

    @Test("who runs the suite helps whoever is at home with them", arguments: IdentityStore.allCases)
    func suite(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let root = try await world.person("root", roles: ["owner"])
        let admin = try await world.person("admin", roles: ["admin"])
        let bob = try await world.person("bob")
        let (_, host) = try await world.tenant("acme", by: root)
        let invitation = try await world.invitations.create(
            email: nil, roles: ["auditor"], lifetime: nil, by: host, origin: makeOrigin())
        _ = try await world.invitations.accept(invitation.code.text, by: bob, origin: makeOrigin())
        // An administrator of the default tenant does not run the suite: its owner does.
        await #expect(throws: IdentityError.holdsMoreElsewhere) {
            _ = try await world.users.resetPassword(of: bob.subject, by: admin, origin: makeOrigin())
        }
        _ = try await world.users.resetPassword(of: bob.subject, by: root, origin: makeOrigin())
    }

    @Test(
        "nobody makes, changes or gives a role with an application's permission that they do not hold",
        arguments: IdentityStore.allCases)
    func roles(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        for (name, permissions) in [
            ("payer", ["payments:*"]), ("granter", Permission.allCases.map(\.rawValue) + ["payments:read"]),
        ] {
            _ = try await world.roles.create(
                name: name, description: "", permissions: permissions, by: owner, origin: makeOrigin())
        }
        let ann = try await world.person("ann", roles: ["member", "granter"])
        let granter = world.claims(try #require(try await world.user(ann.subject)))
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.roles.create(
                name: "mine", description: "", permissions: ["payments:refund"], by: granter, origin: makeOrigin())
        }
        for permissions in [["payments:refund"], nil] {
            await #expect(throws: IdentityError.beyondAuthority) {
                _ = try await world.roles.update(
                    "payer", description: "mine", permissions: permissions, by: granter, origin: makeOrigin())
            }
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            try await world.roles.delete("payer", by: granter, origin: makeOrigin())
        }
        // An owner makes such roles, so who makes an owner gives them all.
        for role in ["payer", "owner"] {
            await #expect(throws: IdentityError.beyondAuthority) {
                _ = try await world.roles.assign(to: ann.subject, by: granter, origin: makeOrigin()) { $0 + [role] }
            }
        }
        _ = try await world.roles.create(
            name: "reader", description: "", permissions: ["payments:read@1"], by: granter, origin: makeOrigin())
        let given = try await world.roles.assign(to: ann.subject, by: granter, origin: makeOrigin()) {
            $0 + ["reader"]
        }
        #expect(given.after == ["granter", "member", "reader"])
    }
}
