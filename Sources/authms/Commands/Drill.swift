import ArgumentParser
import ConnectionKit
import Foundation
import LocalStack
import Logging
import Postgres
import Recovery

struct Drill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rehearses the worst day on the running suite.", subcommands: [BlastRadiusCommand.self])

    struct BlastRadiusCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "blast-radius",
            abstract: "Breaks one thing after the other under load, and holds what users see against the contract.",
            discussion: """
                Everything is done to the private stack's own processes, by signals, and mended afterwards. All causes take about
                nine minutes. Ends with 0 when every promise was kept, with 1 when one was not.
                Examples:
                  authms drill blast-radius --short --html blast-radius.html
                  authms drill blast-radius --cause postgres-session --outage 20
                """)

        @Flag(help: "Five causes that between them touch every cell; under three minutes.")
        var short = false
        @Flag(help: "Two causes at once as well.")
        var pairs = false
        @Option(
            help:
                "What to break, instead of everything: a process as `authms status` names it. May be given several times."
        )
        var cause: [String] = []
        @Option(help: "How many seconds each outage lasts.")
        var outage = 8
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
            guard try await control.status().isReady else {
                throw LocalStackError(.notRunning, "The suite runs, but is not ready yet: see `authms status`.")
            }
            let audit = PostgresClient(
                configuration: try PostgresConfiguration(url: plan.databases[.audit]?.ownURL ?? ""),
                logger: Logger(label: "authms.drill") { _ in SwiftLogNoOpLogHandler() })
            let drill = BlastRadius(
                control: control, gateway: plan.layout.url(of: .gateway), audit: audit, outage: .seconds(outage)
            ) { Local.say($0) }
            let report: DrillReport
            do {
                report = try await drill.run(try causes())
            } catch let error as DrillError {
                await audit.close()
                throw LocalStackError(.failedToStart, error.description)
            } catch {
                await audit.close()
                throw error
            }
            await audit.close()
            try write(report)
            summarise(report)
            guard report.isKept else { throw ExitCode(1) }
        }

        private func causes() throws -> [Cause] {
            let known = Cause.all
            guard cause.isEmpty else {
                let chosen = known.filter { $0.units.allSatisfy(cause.contains) }
                let missing = cause.filter { name in !known.contains { $0.units == [name] } }
                guard missing.isEmpty else {
                    throw LocalStackError(.usage, "Nothing is known of breaking \(missing.joined(separator: ", ")).")
                }
                return chosen
            }
            return (short ? Cause.short : known) + (pairs ? Cause.pairs : [])
        }

        private func write(_ report: DrillReport) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            encoder.dateEncodingStrategy = .iso8601
            do {
                if let json { try encoder.encode(report).write(to: URL(filePath: json)) }
                if let html { try Data(report.html.utf8).write(to: URL(filePath: html)) }
            } catch {
                throw LocalStackError(.storage, "The report cannot be written: \(error.localizedDescription)")
            }
        }

        private func summarise(_ report: DrillReport) {
            let broken = report.rows.flatMap(\.cells).filter { !$0.isKept }.count
            Local.say("")
            Local.say("\(report.requests) requests, \(report.rows.count) causes, \(broken) cells not as promised.")
            Local.say(
                "\(report.registered) registrations acknowledged, \(report.audited) in the audit trail, "
                    + "\(report.auditedTwice) twice; \(report.lostSessions.count) sessions lost, "
                    + "\(report.acceptedTokens.count) signed-out tokens taken.")
            for what in (report.lostSessions + report.acceptedTokens).prefix(5) { Local.say("  ✘ \(what)") }
            Local.say(report.isKept ? "Every promise was kept." : "Promises were broken.")
        }
    }
}
