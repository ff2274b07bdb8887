import Bench
import Foundation
import LocalStack
import Logging
import Contracts
import Postgres
import Recovery

extension BenchCommand {
    /// The mixed load with and without a stalled audit database, and how long the trail takes to catch up.
    func auditStall(in layout: StackLayout) async throws -> [BenchResult] {
        let audit = try client(.audit, in: layout)
        let identity = try client(.identity, in: layout)
        let session = try client(.session, in: layout)
        let bench = AuditStall(
            control: ControlClient(layout: layout), gateway: layout.url(of: .gateway), audit: audit,
            sources: [
                (uri: EventSource.identity.uri, database: identity), (uri: EventSource.session.uri, database: session),
            ], narrate: Self.narrate)
        let outcome = try await outcome(of: bench)
        await audit.close()
        await identity.close()
        await session.close()
        return AuditStall.results(outcome, stall_s: stall)
    }

    private func outcome(of bench: AuditStall) async throws -> AuditStall.Outcome {
        do {
            return try await bench.run(.seconds(stall))
        } catch let error as DrillError {
            throw LocalStackError(.failedToStart, error.description)
        }
    }

    private func client(_ role: ServiceRole, in layout: StackLayout) throws -> PostgresClient {
        PostgresClient(
            configuration: try PostgresConfiguration(url: try database(of: role, in: layout)),
            logger: Logger(label: "authms.bench") { _ in SwiftLogNoOpLogHandler() })
    }
}
