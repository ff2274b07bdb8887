import ArgumentParser
import AuditService
import ConnectionKit
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import Postgres
import Recovery

struct Drill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rehearses the worst day.", subcommands: [BlastRadiusCommand.self, SoakCommand.self])

    struct BlastRadiusCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "blast-radius",
            abstract: "Breaks one thing after the other under load, and holds what users see against the contract.",
            discussion: """
                Everything is done to the running private suite's own processes, by signals and, where it was started with \
                `authms up --proxied`, by proxies in front of them; and mended afterwards. Every process is stopped, stalled \
                and killed, and every database, RabbitMQ and Redis refused, swallowed and cut: a quarter of an hour in all. \
                Ends with 0 when every promise was kept and nothing was lost, with 1 when not: also when too little was asked \
                to say, except where a killed process was back before that.
                Examples:
                  authms drill blast-radius --short --html blast-radius.html
                  authms drill blast-radius --cause postgres-session --cause redis --fault stalled --outage 20
                """)

        @Flag(help: "Seven causes that between them touch every cell; a minute and a half.")
        var short = false
        @Flag(help: "Every two processes at once, too: another twenty minutes.")
        var pairs = false
        @Option(help: "What to break, instead of everything, as `authms status` names it; several are broken at once.")
        var cause: [String] = []
        @Option(
            help: "How to break it: \(Fault.allCases.map(\.rawValue).joined(separator: ", ")); by default in every way."
        )
        var fault: [Fault] = []
        @Option(help: "How many seconds each outage lasts.")
        var outage = 6
        @Option(help: "Where to write the report as JSON.")
        var json: String?
        @Option(help: "Where to write the report as a page.")
        var html: String?

        func validate() throws {
            guard (4...600).contains(outage) else { throw ValidationError("--outage takes 4 to 600 seconds.") }
        }

        func run() async throws {
            let plan = try Local.existingPlan()
            let control = ControlClient(layout: plan.layout)
            let breaker = Breaker(control: control, links: LinkClient(layout: plan.layout))
            let causes = try causes(withProxies: breaker.hasLinks)
            guard try await control.status().isReady else {
                throw LocalStackError(.notRunning, "The suite runs, but is not ready yet: see `authms status`.")
            }
            if !breaker.hasLinks {
                Local.say(
                    "Processes are stopped, stalled and killed; to refuse and cut as well: `authms up --proxied`.")
            }
            let reckoner = try Reckoner(plan: plan) { try await DrillTrail.problem(plan) }
            let drill = BlastRadius(
                breaker: breaker, gateway: plan.layout.url(of: .gateway), reckoner: reckoner, outage: .seconds(outage)
            ) { Local.say($0) }
            let report: DrillReport
            do {
                report = try await drill.run(causes)
            } catch {
                await reckoner.close()
                throw error
            }
            await reckoner.close()
            try DrillFiles.write(report, json: json, page: report.html, html: html)
            Local.say("")
            Local.say(
                "\(report.requests) requests, \(report.rows.count) causes; of the cells: \(report.verdicts.line).")
            for line in report.reckoning.lines { Local.say(line) }
            Local.say(report.conclusion)
            guard report.isKept else { throw ExitCode(1) }
        }

        private func causes(withProxies: Bool) throws -> [Cause] {
            let unknown = cause.filter { !Cause.units.contains($0) }
            guard unknown.isEmpty else {
                throw LocalStackError(
                    .usage,
                    "Nothing is known of breaking \(unknown.joined(separator: ", ")): "
                        + "\(Cause.units.joined(separator: ", ")).")
            }
            if let fault = fault.first(where: \.needsProxy), !withProxies {
                throw LocalStackError(
                    .usage, "To be \(fault.rawValue) takes proxies: start the suite with `authms up --proxied`.")
            }
            let all = Cause.all(withProxies: withProxies)
            var chosen = short ? Cause.short(withProxies: withProxies) : all
            if !cause.isEmpty {
                chosen = Fault.allCases.map { Cause(cause, $0) }.filter { together in
                    cause.allSatisfy { all.contains(Cause([$0], together.fault)) }
                }
            }
            if !fault.isEmpty { chosen = chosen.filter { fault.contains($0.fault) } }
            guard !chosen.isEmpty else {
                throw LocalStackError(
                    .usage, "Nothing can be broken in that way: a service has no proxy in front of it.")
            }
            return chosen + (pairs ? Cause.pairs : [])
        }
    }
}

extension Fault: ExpressibleByArgument {}

/// The trail of a suite, as `authms audit verify` sees it.
enum DrillTrail {
    /// What is wrong with the first tenant's trail of which something is; nil where all is well.
    static func problem(_ plan: StackPlan) async throws -> String? {
        let ring = try KeyRing.verificationOnly(jwksFile: "\(plan.layout.auditKeysDirectory)/\(KeyRing.publicName)")
        let database = PostgresClient(
            configuration: try PostgresConfiguration(url: plan.databases[.audit]?.ownURL ?? ""),
            logger: Logger(label: "authms.drill") { _ in SwiftLogNoOpLogHandler() })
        do {
            let verifier = TrailVerifier(
                database, ring: ring, copies: try CheckpointCopies(directory: plan.layout.checkpointDirectory))
            for tenant in try await verifier.tenants(deadline: .after(.seconds(30))) {
                let result = try await verifier.verify(tenant, deadline: .after(.seconds(600))) { _ in }
                if let fault = result.faults.first {
                    await database.close()
                    return "tenant \(tenant.uuidString.lowercased()): \(fault.kind): \(fault.message)"
                }
            }
        } catch {
            await database.close()
            throw error
        }
        await database.close()
        return nil
    }
}

/// The files that a drill leaves.
enum DrillFiles {
    static func write(_ report: some Encodable, json: String?, page: String, html: String?) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.dateEncodingStrategy = .iso8601
        do {
            if let json { try encoder.encode(report).write(to: URL(filePath: json)) }
            if let html { try Data(page.utf8).write(to: URL(filePath: html)) }
        } catch {
            throw LocalStackError(.storage, "The report cannot be written: \(error.localizedDescription)")
        }
    }
}
