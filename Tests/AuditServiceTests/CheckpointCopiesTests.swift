import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import TestSupport
import Testing

@Suite("Copies of checkpoints")
struct CheckpointCopiesTests {
    let ring: KeyRing
    let copies: CheckpointCopies
    let path: String

    init() throws {
        ring = try KeyRing.ephemeral()
        let directory = try TestDirectory.make("copies")
        copies = try CheckpointCopies(directory: directory)
        path = "\(directory)/\(DefaultTenant.id.text).jws"
    }

    /// Signs for each count of records of one and the same trail.
    private func sign(_ counts: Int..., in fixture: AuditFixture) async throws -> [Checkpoint] {
        let events = try makeStream(counts.reduce(0, +))
        var stored = 0
        var signed: [Checkpoint] = []
        for count in counts {
            try await fixture.store(Array(events[stored..<(stored + count)]))
            stored += count
            let store = CheckpointStore(fixture.database, ring: ring)
            signed.append(
                try #require(try await store.make(for: DefaultTenant.id, deadline: .after(.seconds(20)))))
        }
        return signed
    }

    private func statements() throws -> [String] {
        var reader = try #require(copies.reader(of: DefaultTenant.id))
        var statements: [String] = []
        while let statement = try reader.next() { statements.append(statement) }
        return statements
    }

    @Test("A checkpoint that is signed while the trail is being read is not called removed")
    func signedMeanwhile() async throws {
        let fixture = try await AuditFixture.make()
        let signed = try await sign(20, 20, in: fixture)
        let later = try #require(try await sign(60, in: try await AuditFixture.make()).first)
        for checkpoint in signed { try copies.append(checkpoint) }
        let deadline = Deadline.after(.seconds(20))
        let found = try await fixture.database.withConnection(deadline: deadline) { connection in
            try await connection.query("BEGIN")
            // The verifier has its view of the trail by then, and waits for this.
            try await connection.query("LOCK TABLE audit_chains, audit_checkpoints")
            async let found = TrailVerifier(fixture.database, ring: ring, copies: copies)
                .verify(DefaultTenant.id, deadline: deadline)
            let waits: SQL = """
                SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            // On another connection: a transaction sees one state of this view.
            while try await fixture.query(waits).isEmpty {
                try #require(!deadline.hasPassed, "the verifier does not wait")
                try await Task.sleep(for: .milliseconds(10))
            }
            try copies.append(later)
            try await connection.query("COMMIT")
            return try await found
        }
        #expect(found.faults == [])
        #expect((found.records, found.checkpoints, found.copies) == (40, 2, 2))
        // Read from the start, it is one too many.
        let again = try await TrailVerifier(fixture.database, ring: ring, copies: copies)
            .verify(DefaultTenant.id, deadline: deadline)
        #expect(Set(again.faults.map(\.kind)) == ["checkpointRemoved", "truncated"])
    }

    @Test("What a power failure has left of a line takes no other line with it")
    func torn() async throws {
        let signed = try await sign(10, 10, 10, in: try await AuditFixture.make())
        func tear() throws {
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seekToEnd()
            try file.write(contentsOf: Data(signed[2].statement.utf8.prefix(100)))
            try file.close()
        }
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        for checkpoint in signed {
            try tear()
            try copies.append(checkpoint)
        }
        #expect(try statements() == signed.map(\.statement))
    }

    @Test("Of two replicas that append at once neither overwrites the other")
    func together() async throws {
        let signed = try await sign(10, 10, in: try await AuditFixture.make())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for checkpoint in signed {
                group.addTask { for _ in 0..<100 { try copies.append(checkpoint) } }
            }
            try await group.waitForAll()
        }
        let found = try statements()
        #expect(found.count == 200)
        for checkpoint in signed { #expect(found.count { $0 == checkpoint.statement } == 100) }
    }

    @Test("A replica that was stopped while it appended holds up nobody for long, and then nothing is appended")
    func held() async throws {
        let signed = try await sign(10, 10, in: try await AuditFixture.make())
        try copies.append(signed[0])
        let file = try #require(FileHandle(forReadingAtPath: path))
        #expect(flock(file.fileDescriptor, LOCK_EX) == 0)
        let error = #expect(throws: SystemFailure.self) { try copies.append(signed[1]) }
        #expect(error?.call == "flock" && error?.code == EWOULDBLOCK)
        #expect(try statements() == [signed[0].statement])
        try file.close()
        try copies.append(signed[1])
        #expect(try statements() == signed.map(\.statement))
    }
}
