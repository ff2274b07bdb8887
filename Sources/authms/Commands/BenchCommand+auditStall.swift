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
        return results(outcome)
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

    private func results(_ outcome: AuditStall.Outcome) -> [BenchResult] {
        let ratio = outcome.stalled_ms / max(outcome.usual_ms, 0.001)
        let drain = outcome.drain / .seconds(1)
        return [
            BenchResult(
                name:
                    "p99 of \(outcome.requests) requests of the mixed load, the audit database stalled for \(stall) s",
                value: outcome.stalled_ms, unit: "ms", ratio: ratio, goal: "≤ 1.1 × without", passes: ratio <= 1.1),
            BenchResult(
                name: "Requests that were not answered as usual", value: Double(outcome.failed), unit: "", goal: "none",
                passes: outcome.failed == 0),
            BenchResult(
                name: "Until the trail had what waited", value: drain, unit: "s", goal: "< 120 s", passes: drain < 120),
        ]
    }
}
