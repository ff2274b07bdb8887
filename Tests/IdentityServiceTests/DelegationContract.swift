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
