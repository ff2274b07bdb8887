import ConnectionKit
import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Every store of users", .serialized)
struct IdentityRepositoryContract {
    @Test("keeps identities unique in their tenant, however they are written", arguments: IdentityStore.allCases)
    func unique(store: IdentityStore) async throws {
        let repository = try await store.make()
        let registration = Registration(repository: repository, hasher: CountingHasher())
        let form = RegistrationForm(
            email: "ann@example.org", username: "ann", phone: "+49301234567", password: "correct horse")
        let user = try await registration.register(form, origin: makeOrigin())
        #expect(user.roles == ["member"])
        let again = try [
            Identifier.email("ANN@example.org"), Identifier.username("Ann"), Identifier.phone("0049 30 1234567"),
        ]
        for identifier in again {
            let other = NewUser(
                id: UUID(), tenantID: user.tenantID, identifiers: [identifier], name: nil, passwordHash: "v1:x",
                mustChangePassword: false, roles: ["member"])
            await #expect(throws: IdentityError.alreadyRegistered(identifier.kind)) {
                _ = try await repository.insert(
                    other, event: try event(.userRegistered, user), deadline: makeOrigin().scope.deadline)
            }
        }
        await #expect(throws: IdentityError.alreadyRegistered(.username)) {
            _ = try await registration.register(
                RegistrationForm(username: "Ann", password: "correct horse"), origin: makeOrigin())
        }
        await #expect(throws: IdentityError.tenantUnknown) {
            _ = try await registration.register(
                RegistrationForm(email: "x@example.org", password: "correct horse", tenantID: UUID()),
                origin: makeOrigin())
        }
    }

    @Test("records a login only while the password is the one that was seen", arguments: IdentityStore.allCases)
    func guardsLogin(store: IdentityStore) async throws {
        let repository = try await store.make()
        let user = try await registered(in: repository)
        let origin = makeOrigin()
        func record(_ hash: String) async throws -> Date? {
            try await repository.recordSignIn(
                user.id, tenantID: user.tenantID, seenHash: hash, rehashed: nil,
                event: try event(.loginSucceeded, user), deadline: origin.scope.deadline)
        }
        #expect(try await record("v1:correct horse") != nil)
        let changed = try await repository.changePassword(
            user.id, tenantID: user.tenantID, seenHash: "v1:correct horse", newHash: "v1:other",
            event: try event(.passwordChanged, user), deadline: origin.scope.deadline)
        #expect(changed != nil)
        #expect(try await record("v1:correct horse") == nil)
        let twice = try await repository.changePassword(
            user.id, tenantID: user.tenantID, seenHash: "v1:correct horse", newHash: "v1:third",
            event: try event(.passwordChanged, user), deadline: origin.scope.deadline)
        #expect(twice == nil)
    }

    @Test("shows and changes nothing across tenants", arguments: IdentityStore.allCases)
    func isolation(store: IdentityStore) async throws {
        let repository = try await store.make()
        let user = try await registered(in: repository)
        let (tenant, deadline) = (UUID(), makeOrigin().scope.deadline)
        #expect(try await repository.account(user.id, tenantID: tenant, deadline: deadline) == nil)
        guard case .tenantUnknown = try await repository.lookUp(.guess("ann"), tenantID: tenant, deadline: deadline)
        else {
            Issue.record("an unknown tenant is unknown")
            return
        }
        let login = try await repository.recordSignIn(
            user.id, tenantID: tenant, seenHash: "v1:correct horse", rehashed: nil,
            event: try event(.loginSucceeded, user), deadline: deadline)
        #expect(login == nil)
    }

    @Test("makes one first owner, of many that ask at once", arguments: IdentityStore.allCases)
    func firstOwner(store: IdentityStore) async throws {
        let bootstrap = Bootstrap(repository: try await store.make(), hasher: CountingHasher())
        let created = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<8 {
                group.addTask {
                    let request = BootstrapRequest(email: "root\(index)@example.org")
                    return try await bootstrap.createOwner(request, origin: makeOrigin()).created
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(created == 1)
    }

    @Test("updates what is given and keeps the rest", arguments: IdentityStore.allCases)
    func updates(store: IdentityStore) async throws {
        let repository = try await store.make()
        let user = try await registered(in: repository)
        let updated = try await repository.update(
            user.id, tenantID: user.tenantID, name: .set("Ann Lee"), username: nil,
            event: try event(.userUpdated, user), deadline: makeOrigin().scope.deadline)
        #expect(updated?.name == "Ann Lee")
        #expect(updated?.username == "ann")
        #expect(updated?.roles == ["member"])
        let changes: [(FieldChange<String>, String?)] = [(.keep, "Ann Lee"), (.clear, nil), (.keep, nil)]
        for (change, name) in changes {
            let changed = try await repository.update(
                user.id, tenantID: user.tenantID, name: change, username: try Identifier.username("anna"),
                event: try event(.userUpdated, user), deadline: makeOrigin().scope.deadline)
            #expect(changed?.name == name && changed?.username == "anna", "\(change)")
        }
    }

    private func registered(in repository: any IdentityRepository) async throws -> User {
        try await Registration(repository: repository, hasher: CountingHasher()).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
    }

    private func event(_ type: EventType, _ user: User) throws -> DomainEvent {
        try DomainEvent(type: type, subject: user.id.text, tenantID: user.tenantID, data: EventDetail())
    }
}
