import ConnectionKit
import Contracts
import Foundation
import SessionService
import Testing

@Suite("Ending sessions, in every store", .serialized)
struct RevocationContract {
    @Test("ends every other session of the user and nobody else's", arguments: SessionStore.allCases)
    func endsOthers(store: SessionStore) async throws {
        let repository = try await store.make()
        let (ann, bob) = (Example.user(), Example.user())
        let kept = try await opened(in: repository, of: ann)
        let other = try await opened(in: repository, of: ann)
        let stranger = try await opened(in: repository, of: bob)
        let ended = try await repository.revoke(
            Example.ending(.all(user: ann.id, except: kept.id, authenticatedUntil: nil)), deadline: Example.deadline)
        #expect(ended.map(\.subjectID) == [other.id])
        let alive = try await sessions(of: ann, in: repository)
        #expect(alive.map(\.id) == [kept.id])
        #expect(try await sessions(of: bob, in: repository).map(\.id) == [stranger.id])
    }

    @Test("spares sessions that began after a password change", arguments: SessionStore.allCases)
    func sparesLater(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let before = try await opened(in: repository, of: ann)
        let after = try await repository.insert(
            Example.session(of: ann, authenticatedAt: Example.now + 60), limit: nil, actor: Example.actor,
            deadline: Example.deadline
        ).session
        let ended = try await repository.revoke(
            Example.ending(.all(user: ann.id, except: nil, authenticatedUntil: Example.now + 30)),
            deadline: Example.deadline)
        #expect(ended.map(\.subjectID) == [before.id])
        #expect(try await sessions(of: ann, in: repository).map(\.id) == [after.id])
    }

    @Test("does nothing for another tenant, another user, or a second time", arguments: SessionStore.allCases)
    func isolation(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let session = try await opened(in: repository, of: ann)
        let tenant = UUID()
        #expect(try await repository.session(session.id, tenantID: tenant, deadline: Example.deadline) == nil)
        for selection in [SessionSelection.one(session.id), .oneOf(user: ann.id, id: session.id)] {
            let ending = Example.ending(selection, tenant: tenant)
            #expect(try await repository.revoke(ending, deadline: Example.deadline).isEmpty)
        }
        let wrongUser = Example.ending(.oneOf(user: UUID(), id: session.id))
        #expect(try await repository.revoke(wrongUser, deadline: Example.deadline).isEmpty)
        let right = Example.ending(.oneOf(user: ann.id, id: session.id))
        #expect(try await repository.revoke(right, deadline: Example.deadline).count == 1)
        #expect(try await repository.revoke(right, deadline: Example.deadline).isEmpty)
    }

    @Test("shows every revocation to a reader who goes on where it stopped", arguments: SessionStore.allCases)
    func paging(store: SessionStore) async throws {
        let repository = try await store.make()
        var expected: Set<UUID> = []
        for _ in 0..<5 {
            let session = try await opened(in: repository)
            _ = try await repository.revoke(Example.ending(.one(session.id)), deadline: Example.deadline)
            expected.insert(session.id)
        }
        var (seen, after) = ([UUID](), Int64(0))
        // PostgreSQL shows them when no transaction of the whole server is older: others' tests have some under way.
        let end = Deadline.after(.seconds(30))
        while Set(seen) != expected, !end.hasPassed {
            let page = try await repository.revocations(
                after: after, limit: 2, now: Example.now, deadline: Example.deadline)
            seen += page.revocations.map(\.subjectID)
            after = page.next
            if !page.hasMore { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(Set(seen) == expected)
        let late = try await repository.revocations(
            after: 0, limit: 10, now: Example.now + 86_400, deadline: Example.deadline)
        #expect(late.revocations.isEmpty)
    }

    @Test("refuses a disabled user's tokens whatever sessions there are", arguments: SessionStore.allCases)
    func disabled(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let session = try await opened(in: repository, of: ann)
        let ending = Example.ending(.all(user: ann.id, except: nil, authenticatedUntil: Example.now))
        let revocations = try await repository.revokeUser(ann.id, ending, deadline: Example.deadline)
        #expect(revocations.map(\.kind) == [.user, .session])
        #expect(revocations.map(\.subjectID) == [ann.id, session.id])
    }

    @Test("refuses tokens of one tenant where only a membership changed", arguments: SessionStore.allCases)
    func membership(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let selection = SessionSelection.all(user: ann.id, except: nil, authenticatedUntil: Example.now)
        let bound: [RevocationReason: UUID?] = [
            .membershipRemoved: ann.tenantID, .userDeleted: nil, .userDisabled: nil,
        ]
        for (reason, tenant) in bound {
            let ending = Example.ending(selection, tenant: ann.tenantID, reason: reason)
            let revocations = try await repository.revokeUser(ann.id, ending, deadline: Example.deadline)
            #expect(revocations.map(\.tenantID) == [tenant], "\(reason)")
        }
        let reduced = try await repository.changeRoles(
            of: ann.id, tenantID: ann.tenantID,
            RolesChange(roles: ["member"], permissions: nil, changedAt: Example.now),
            refusing: { Example.ending(selection, tenant: ann.tenantID, reason: .rolesReduced) },
            deadline: Example.deadline)
        #expect(reduced?.tenantID == ann.tenantID)
        let page = try await repository.revocations(
            after: 0, limit: 9, now: Example.now, deadline: Example.deadline)
        #expect(page.revocations.filter { $0.tenantID == ann.tenantID }.count == 2)
        #expect(page.revocations.filter { $0.tenantID == nil }.count == 2)
    }

    @Test("brings snapshots up to date and leaves the rest as it was", arguments: SessionStore.allCases)
    func snapshots(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let session = try await opened(in: repository, of: ann)
        try await repository.updateSnapshots(
            of: ann.id, tenantID: ann.tenantID, change: SnapshotChange(name: "Ann", username: "anna"),
            deadline: Example.deadline)
        let found = try await repository.session(session.id, tenantID: ann.tenantID, deadline: Example.deadline)
        #expect(found?.user.name == "Ann")
        #expect(found?.user.username == "anna")
        #expect(found?.user.email == ann.email)
        for change in [SnapshotChange(clearsName: true), SnapshotChange(mustChangePassword: true)] {
            try await repository.updateSnapshots(
                of: ann.id, tenantID: ann.tenantID, change: change, deadline: Example.deadline)
        }
        let cleared = try await repository.session(session.id, tenantID: ann.tenantID, deadline: Example.deadline)
        #expect(cleared?.user.name == nil && cleared?.user.username == "anna")
        #expect(cleared?.mustChangePassword == true && cleared?.user.roles == ann.roles)
        #expect(cleared?.user.email == ann.email)
    }

    private func sessions(of user: UserSnapshot, in repository: any SessionRepository) async throws -> [Session] {
        try await repository.sessions(
            of: user.id, tenantID: user.tenantID, now: Example.now, deadline: Example.deadline)
    }
}
