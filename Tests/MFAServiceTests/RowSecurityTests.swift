import ConnectionKit
import Contracts
import Foundation
import MFAService
import MicroMiddleware
import Postgres
import TestSupport
import Testing

@Suite("Under the mfa database's own policies")
struct RowSecurityTests {
    private let mine = UUID.v7()
    private let theirs = UUID.v7()
    private let ann = UUID.v7()
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let nonce = [UInt8](repeating: 3, count: 32)
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("every table that has rows of tenants keeps them apart")
    func guarded() async throws {
        #expect(try await TestPostgres.policed(for: "mfa").unguardedTables() == [])
    }

    @Test("what is asked for one tenant shows nothing of another's, whatever the statement says")
    func reading() async throws {
        let database = try await populated()
        let forging = try await database.forging()
        let repository = PostgresMFARepository(database: forging, outbox: Outbox())
        // Of no tenant, the forged statement reaches everything.
        #expect(try await forging.query("SELECT FROM passkeys WHERE id = \(UUID())", deadline: soon).count == 1)

        let factors = try await repository.factors(of: ann, tenantID: mine, deadline: soon)
        #expect(factors == UserFactors())
        #expect(try await repository.passkeys(of: ann, tenantID: mine, deadline: soon).isEmpty)
        #expect(try await repository.passkey(credentialID: [1, 2, 3], tenantID: mine, deadline: soon) == nil)
        #expect(try await repository.unusedCode(of: ann, tenantID: mine, hash: hash, deadline: soon) == nil)

        // And of one's own as much as before.
        #expect(try await repository.factors(of: ann, tenantID: theirs, deadline: soon).methods == [.totp, .webauthn])
    }

    @Test("what is done for one tenant changes nothing of another's, whatever the statement says")
    func writing() async throws {
        let database = try await populated()
        let seen = PostgresMFARepository(database: database.all, outbox: Outbox())
        let before = try await seen.factors(of: ann, tenantID: theirs, deadline: soon)
        let passkeys = try await seen.passkeys(of: ann, tenantID: theirs, deadline: soon)
        let totp = try #require(before.totp)
        let code = try #require(try await seen.unusedCode(of: ann, tenantID: theirs, hash: hash, deadline: soon))
        let challenge = Challenge(
            id: .v7(), userID: ann, tenantID: theirs, nonce: nonce, expiresAt: now.addingTimeInterval(300))
        _ = try await seen.open(challenge, deadline: soon)

        let repository = PostgresMFARepository(database: try await database.forging(), outbox: Outbox())
        let enrolment = TOTPEnrolment(
            id: totp.id, userID: ann, tenantID: mine, secret: totp.secret, enabledAt: now, createdAt: now)
        let event = try event(in: mine)
        let done = [
            try await repository.propose(enrolment, deadline: soon),
            try await repository.enable(
                enrolment, step: 9, codes: [], now: now, again: true, events: [event], deadline: soon),
            try await repository.disableTOTP(of: ann, tenantID: mine, now: now, event: event, deadline: soon),
            try await repository.replaceCodes(
                of: ann, tenantID: mine, with: [], now: now, event: event, deadline: soon),
            try await repository.acceptStep(
                9, of: enrolment, challenge: challenge.id, now: now, event: event, deadline: soon),
            try await repository.acceptCode(
                code, of: ann, tenantID: mine, challenge: challenge.id, now: now, events: [event], deadline: soon),
            try await repository.reset(ann, tenantID: mine, now: now, event: event, deadline: soon),
            try await repository.takeRegistration(nonce, of: ann, tenantID: mine, now: now, deadline: soon),
        ]
        #expect(!done.contains(true), "\(done)")
        let claim = try await repository.claimAttempt(
            challenge.id, userID: ann, tenantID: mine, guessable: true, now: now, deadline: soon)
        #expect(claim == .challengeOver)
        for passkey in passkeys {
            let renamed = try await repository.rename(
                passkey.id, of: ann, tenantID: mine, to: "mallory's", event: event, deadline: soon)
            #expect(renamed == nil)
            #expect(
                try await !repository.remove(passkey.id, of: ann, tenantID: mine, event: event, deadline: soon))
            let verdict = try await repository.accept(
                copy(passkey, in: mine), signCount: 9, challenge: challenge.id, now: now, event: event, deadline: soon)
            #expect(verdict == .refused)
        }

        #expect(try await seen.factors(of: ann, tenantID: theirs, deadline: soon) == before)
        #expect(try await seen.passkeys(of: ann, tenantID: theirs, deadline: soon) == passkeys)
        #expect(
            try await seen.takeRegistration(nonce, of: ann, tenantID: theirs, now: now, deadline: soon))
        let left = try await seen.claimAttempt(
            challenge.id, userID: ann, tenantID: theirs, guessable: true, now: now, deadline: soon)
        #expect(left == .granted(nonce: nonce))
    }

    @Test("nothing is put into another tenant")
    func intruding() async throws {
        let database = try await populated()
        for statement: SQL in [
            "UPDATE mfa_users SET tenant_id = \(theirs)",
            "INSERT INTO mfa_users (user_id, tenant_id, version) VALUES (\(UUID()), \(theirs), 1)",
            // A row of another tenant stands in the way, and is not changed.
            """
            INSERT INTO mfa_users (user_id, tenant_id, version) VALUES (\(ann), \(mine), 9)
            ON CONFLICT (user_id) DO UPDATE SET version = 9
            """,
            Outbox.insertSQL(try event(in: theirs)),
        ] {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await database.client.acting(for: mine, deadline: soon) { connection in
                    try await connection.query(
                        "INSERT INTO mfa_users (user_id, tenant_id, version) VALUES (\(UUID()), \(mine), 1)")
                    try await connection.query(statement)
                }
            }
            #expect(error?.sqlState == "42501", "\(statement)")
        }
    }

    // MARK: - Parts

    private var hash: [UInt8] { [UInt8](repeating: 1, count: 32) }

    private func event(in tenant: UUID) throws -> DomainEvent {
        try DomainEvent(type: .mfaVerified, subject: ann.text, tenantID: tenant, data: EventDetail())
    }

    /// One user of another tenant, who has one of everything.
    private func populated() async throws -> PolicedDatabase {
        let database = try await TestPostgres.policed(for: "mfa")
        let repository = PostgresMFARepository(database: database.client, outbox: Outbox())
        let enrolment = TOTPEnrolment(
            id: .v7(), userID: ann, tenantID: theirs,
            secret: FactorCipher.Sealed(keyID: "mk-1", bytes: [UInt8](repeating: 7, count: 48)), createdAt: now)
        #expect(try await repository.propose(enrolment, deadline: soon))
        #expect(
            try await repository.enable(
                enrolment, step: 1, codes: [StoredRecoveryCode(hash: hash)], now: now, again: false,
                events: [event(in: theirs)], deadline: soon))
        try await database.client.query(
            """
            INSERT INTO passkeys (id, user_id, tenant_id, credential_id, public_key, algorithm, sign_count, aaguid,
                attestation, is_synced, name, created_at)
            SELECT \(UUID.v7()), \(ann), \(theirs), \([1, 2, 3] as [UInt8]), '\\x00', -7, 1, \(UUID()), 'none', false, 'key',
                \(now)
            """, actingFor: theirs, deadline: soon)
        try await repository.beginRegistration(
            nonce, of: ann, tenantID: theirs, expiresAt: now.addingTimeInterval(300), deadline: soon)
        return database
    }

    private func copy(_ passkey: Passkey, in tenant: UUID) -> Passkey {
        Passkey(
            id: passkey.id, userID: passkey.userID, tenantID: tenant, credentialID: passkey.credentialID,
            publicKey: passkey.publicKey, algorithm: passkey.algorithm, signCount: passkey.signCount,
            transports: passkey.transports, aaguid: passkey.aaguid, attestation: passkey.attestation,
            isSynced: passkey.isSynced, name: passkey.name, createdAt: passkey.createdAt)
    }
}
