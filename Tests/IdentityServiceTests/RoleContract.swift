import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Every store of roles", .serialized)
struct RoleContract {
    @Test("gives what a role grants to who holds it, and takes it away", arguments: IdentityStore.allCases)
    func lifeOfARole(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        _ = try await world.roles.create(
            name: "editor", description: "", permissions: ["documents:write", "users:read"], by: owner,
            origin: makeOrigin())
        let given = try await world.roles.assign(to: ann.subject, by: owner, origin: makeOrigin()) { $0 + ["editor"] }
        #expect(given.after == ["editor", "member"] && !given.isReduction)
        let user = try #require(try await world.user(ann.subject))
        #expect(user.permissions == ["users:read"])
        let token = world.claims(user)
        #expect(token.granted.contains(.usersRead) && !token.granted.contains(.usersWrite))
        let deadline = makeOrigin().scope.deadline
        #expect(try await world.check.allows("documents:write", on: nil, to: token, deadline: deadline))
        #expect(try await !world.check.allows("documents:delete", on: nil, to: token, deadline: deadline))
        _ = try await world.roles.update(
            "editor", description: nil, permissions: ["documents:*"], by: owner, origin: makeOrigin())
        #expect(try await world.check.allows("documents:delete", on: nil, to: token, deadline: deadline))
        #expect(try await world.user(ann.subject)?.permissions == [])
        try await world.roles.delete("editor", by: owner, origin: makeOrigin())
        #expect(try await world.user(ann.subject)?.roles == ["member"])
        #expect(try await !world.check.allows("documents:write", on: nil, to: token, deadline: deadline))
    }

    @Test("keeps one owner, of fifty removals at once", arguments: IdentityStore.allCases)
    func lastOwner(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        var owners: [AccessTokenClaims] = []
        for index in 0..<50 { owners.append(try await world.person("owner\(index)", roles: ["owner"])) }
        let (refused, all) = try await withThrowingTaskGroup(of: Bool.self) { group in
            for owner in owners {
                group.addTask {
                    do {
                        _ = try await world.roles.assign(to: owner.subject, by: owner, origin: makeOrigin()) {
                            $0.filter { $0 != "owner" }
                        }
                        return false
                    } catch IdentityError.lastOwner {
                        return true
                    }
                }
            }
            return try await group.reduce(into: (0, 0)) { $0 = ($0.0 + ($1 ? 1 : 0), $0.1 + 1) }
        }
        #expect(refused == 1 && all == 50)
        var left = 0
        for owner in owners where try await world.user(owner.subject)?.roles.contains("owner") == true { left += 1 }
        #expect(left == 1)
    }

    @Test("does not lose the last owner by disabling or deleting either", arguments: IdentityStore.allCases)
    func lastOwnerOtherwise(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        let other = try await world.person("other", roles: ["owner"])
        _ = try await world.users.setStatus(.disabled, of: other.subject, by: owner, origin: makeOrigin())
        // The other is an owner by name, but disabled: this one is the last.
        await #expect(throws: IdentityError.lastOwner) {
            _ = try await world.users.setStatus(.disabled, of: owner.subject, by: other, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.lastOwner) {
            try await world.users.delete(owner.subject, by: other, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.lastOwner) {
            _ = try await world.roles.assign(to: owner.subject, by: owner, origin: makeOrigin()) { _ in ["member"] }
        }
    }

    @Test("lets nobody give, take or manage more than they hold", arguments: IdentityStore.allCases)
    func authority(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        let admin = try await world.person("admin", roles: ["admin"])
        let ann = try await world.person("ann")
        _ = try await world.roles.create(
            name: "granter", description: "", permissions: ["roles:write", "roles:read"], by: owner,
            origin: makeOrigin())
        _ = try await world.roles.assign(to: ann.subject, by: owner, origin: makeOrigin()) { $0 + ["granter"] }
        let granter = world.claims(try #require(try await world.user(ann.subject)))
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.roles.assign(to: ann.subject, by: granter, origin: makeOrigin()) { $0 + ["owner"] }
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.roles.update(
                "granter", description: nil, permissions: ["roles:write", "tenants:write"], by: granter,
                origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.roles.assign(to: owner.subject, by: granter, origin: makeOrigin()) { _ in [] }
        }
        // An administrator who could reset an owner's password would be an owner.
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.users.resetPassword(of: owner.subject, by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            try await world.users.delete(owner.subject, by: admin, origin: makeOrigin())
        }
        await #expect(throws: IdentityError.beyondAuthority) {
            _ = try await world.invitations.create(
                email: nil, roles: ["owner"], lifetime: nil, by: admin, origin: makeOrigin())
        }
    }

    @Test("refuses roles that do not exist, twice the same, and built-in names", arguments: IdentityStore.allCases)
    func refusals(store: IdentityStore) async throws {
        let world = TenancyWorld(try await store.makeTenancy())
        let owner = try await world.person("owner", roles: ["owner"])
        func create(_ name: String, _ permissions: [String] = []) async throws {
            _ = try await world.roles.create(
                name: name, description: "", permissions: permissions, by: owner, origin: makeOrigin())
        }
        try await create("editor")
        await #expect(throws: IdentityError.roleTaken) { try await create("editor") }
        await #expect(throws: IdentityError.self) { try await create("owner") }
        await #expect(throws: IdentityError.self) { try await create("Editor") }
        for text in ["documents", "documents:", "users:everything", "users:*", "users:read@7", "a:b:c", "a:*@1", ":x"] {
            await #expect(throws: IdentityError.self, "\(text)") { try await create("other", [text]) }
        }
        try await create("other", ["documents:read@42", "documents:*"])
        await #expect(throws: IdentityError.self) {
            _ = try await world.roles.assign(to: owner.subject, by: owner, origin: makeOrigin()) { $0 + ["nobody"] }
        }
        await #expect(throws: IdentityError.userUnknown) {
            _ = try await world.roles.assign(to: UUID(), by: owner, origin: makeOrigin()) { $0 + ["admin"] }
        }
    }
}
