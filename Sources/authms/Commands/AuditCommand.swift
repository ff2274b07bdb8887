import ArgumentParser
import AuditService
import ConnectionKit
import Contracts
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import Postgres

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "The audit trail, for those who do not take our word for it.",
        subcommands: [Verify.self, AuditStreams.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads the whole trail and names the first record that is not as it was written.",
            discussion: """
                Needs read access to the audit database and the public keys of the checkpoints, nothing else. What it finds: a
                record altered, removed, put in or moved, a tail cut off, a chain written anew, a checkpoint removed, replaced or
                forged. Without options it reads the private stack's; with --database-url nothing of that stack is used. Ends with
                0 when the trail is whole, with 1 when it is not, or when there is none.
                """)

        @Option(help: "The audit database; read access is enough. Another suite's needs --jwks.")
        var databaseURL: String?

        @Option(help: "The checkpoints' public keys, a JWKS file.")
        var jwks: String?

        @Option(
            name: [.customLong("checkpoints"), .customLong("copies")],
            help:
                "The directory with copies of the checkpoints: without them whoever holds the database and the keys is trusted."
        )
        var copies: String?

        @Option(help: "One tenant's trail alone.")
        var tenant: String?

        @Option(help: "An NDJSON export, verified without any database.")
        var export: String?

        @Flag(help: "Prints what was found as JSON.")
        var json = false

        func run() async throws {
            // What opens the copies would make the directory, and find none in it.
            if let copies, !Files.exists(copies) {
                throw LocalStackError(.storage, "There is no directory \(copies) with copies of the checkpoints.")
            }
            if let export { return try verifyExport(export, try keys()) }
            let url = try databaseURL ?? Local.existingPlan().databases[.audit]?.ownURL ?? ""
            let ring = try keys()
            let directory = copies ?? localCopies
            let database = PostgresClient(
                configuration: try PostgresConfiguration(url: url), logger: Logger(label: "authms.audit"))
            let results: [TrailVerification]
            do {
                let verifier = TrailVerifier(
                    database, ring: ring, copies: try directory.map { try CheckpointCopies(directory: $0) })
                results = try await verify(verifier)
            } catch {
                await database.close()
                guard error is PostgresError else { throw error }
                throw Obstacle(what: "The audit database cannot be read", cause: error)
            }
            await database.close()
            try report(results, isWithCopies: directory != nil)
        }

        /// The private stack's layout; nil where another suite's database is named, of which it knows nothing.
        private var layout: StackLayout? { databaseURL == nil ? try? Local.layout() : nil }

        private var localCopies: String? {
            layout.map(\.checkpointDirectory).flatMap { Files.exists($0) ? $0 : nil }
        }

        private func verifyExport(_ path: String, _ ring: KeyRing) throws {
            let verifier = ExportVerifier(ring: ring, copies: try copies.map { try CheckpointCopies(directory: $0) })
            try report([try verifier.verify(path: path)], isWithCopies: true)
        }

        /// No signature is checked without them, and every checkpoint would be called forged.
        private func keys() throws -> KeyRing {
            guard let file = jwks ?? layout.map({ "\($0.auditKeysDirectory)/\(KeyRing.publicName)" }) else {
                throw LocalStackError(
                    .usage,
                    "Give the public keys of that suite's checkpoints with --jwks: its gateway has them at "
                        + "/audit/api/v1/public/checkpoint-keys.")
            }
            do {
                return try KeyRing.verificationOnly(jwksFile: file)
            } catch {
                throw LocalStackError(
                    .storage, "The checkpoints' public keys cannot be read: \(error) Give them with --jwks.")
            }
        }

        private func verify(_ verifier: TrailVerifier) async throws -> [TrailVerification] {
            var results: [TrailVerification] = []
            let shows = !json && Local.standardOutputIsTerminal
            for id in try await tenants(verifier) {
                let result = try await verifier.verify(id, deadline: .after(.seconds(24 * 3_600))) { count in
                    guard shows else { return }
                    FileHandle.standardError.write(Data("\r\(id.text): \(count) records …".utf8))
                }
                if shows { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
                results.append(result)
            }
            return results
        }

        /// Those whose trails are read: all, or the one that is asked for.
        private func tenants(_ verifier: TrailVerifier) async throws -> [UUID] {
            guard let tenant else { return try await verifier.tenants(deadline: .after(.seconds(30))) }
            guard let id = UUID(uuidString: tenant) else {
                throw LocalStackError(.usage, "--tenant is \"\(tenant)\", but must be a UUID.")
            }
            guard try await verifier.knows(id, deadline: .after(.seconds(30))) else {
                throw LocalStackError(
                    .refused, "There is no trail of the tenant \(id.text): neither the database nor any copy knows it.")
            }
            return [id]
        }

        private func report(_ results: [TrailVerification], isWithCopies: Bool) throws {
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                Local.say(String(decoding: try encoder.encode(results), as: UTF8.self))
            } else {
                for result in results { describe(result) }
                if !isWithCopies {
                    Local.say(
                        "No copies of the checkpoints were given: what is signed was taken from the database itself.")
                }
            }
            guard !results.isEmpty else {
                throw LocalStackError(.refused, "There is no trail: neither the database nor any copy knows a tenant.")
            }
            guard results.allSatisfy(\.faults.isEmpty) else { throw ExitCode(1) }
        }

        private func describe(_ result: TrailVerification) {
            let dropped = result.dropped > 0 ? " (\(result.dropped) of them dropped by the retention policy)" : ""
            let checkpoints = "\(result.checkpoints) signed checkpoints, \(result.copies) of them in the copies"
            if result.faults.isEmpty {
                Local.say(
                    "✔ tenant \(result.tenantID): \(result.records) records\(dropped) are as they were written; "
                        + checkpoints)
                return
            }
            Local.say("✘ tenant \(result.tenantID): \(result.records) records\(dropped) are in order; \(checkpoints)")
            for fault in result.faults { Local.say("    \(fault.kind): \(fault.message)") }
        }
    }
}
