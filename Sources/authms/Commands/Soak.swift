import ArgumentParser
import Foundation
import LocalStack
import Recovery
import UnixSignals

struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract:
            "Minutes of load with a fault every few seconds, and then everything that was acknowledged is counted.",
        discussion: """
            Starts a suite of its own, on ports of its own, and forgets it afterwards. The faults: each process killed, \
            stopped and stalled, each database, RabbitMQ and Redis refused, swallowed and cut, the broker's memory alarm, and \
            where this is root a database's full disk. It ends with 0 when each acknowledged change has exactly one audit \
            record, every stream is complete and linked, the trail verifies, no signed-out token is taken and no acknowledged \
            session is lost; with 1 otherwise.
            """)

    /// Added to every port of the suite.
    private static let portOffset = 5_000

    @Option(help: "How many minutes of load.")
    var minutes = 10
    @Option(help: "How many seconds from one fault to the next.")
    var every = 15
    @Option(help: "Decides the order of faults: give the one that a report names to hold the same soak again.")
    var seed: UInt64?
    @Option(help: "Where to write the report as JSON.")
    var json: String?
    @Option(help: "Where to write the report as a page.")
    var html: String?

    func validate() throws {
        guard (1...24 * 60).contains(minutes) else { throw ValidationError("--minutes takes 1 to 1440.") }
        guard (8...300).contains(every) else { throw ValidationError("--every takes 8 to 300 seconds.") }
    }

    func run() async throws {
        let report = try await withThrowingTaskGroup(of: SoakReport?.self) { group in
            group.addTask { try await hold() }
            group.addTask {
                // Ctrl-C: what was started is stopped, what was mounted is unmounted.
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return nil }
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard let report else { throw ExitCode(130) }
        try DrillFiles.write(report, json: json, page: report.html, html: html)
        Local.say("")
        for line in report.lines { Local.say(line) }
        Local.say(report.isClean ? "Nothing was lost." : "Something was lost.")
        guard report.isClean else { throw ExitCode(1) }
    }

    private func hold() async throws -> SoakReport {
        let layout = try PrivateSuite.makePlace(
            named: "soak", repository: try Local.layout().repository, portOffset: Self.portOffset)
        defer { PrivateSuite.forget(layout) }
        let disk = SmallDisk.isPossible ? try await SmallDisk(in: layout) : nil
        do {
            let report = try await hold(in: layout, disk)
            await disk?.unmount()
            return report
        } catch {
            // In a task of its own: this one may have been cancelled.
            await Task { await disk?.unmount() }.value
            throw error
        }
    }

    private func hold(in layout: StackLayout, _ disk: SmallDisk?) async throws -> SoakReport {
        Local.say("Starting a suite to soak …")
        let suite = try await PrivateSuite.start(
            in: layout, executable: StackLayout.currentExecutable, arguments: ["--proxied"],
            environment: ["AUDIT_CHECKPOINT_INTERVAL": "10s"])
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.load(in: layout), executable: StackLayout.currentExecutable,
            settings: Local.settings, isProxied: true)
        let reckoner = try Reckoner(plan: plan) { try await DrillTrail.problem(plan) }
        do {
            let report = try await Soak(plan: plan, reckoner: reckoner, disk: disk) { Local.say($0) }
                .run(
                    for: .seconds(minutes * 60), every: .seconds(every), seed: seed ?? UInt64.random(in: 0..<1_000_000))
            await reckoner.close()
            await suite.stop()
            return report
        } catch {
            keepLogs(of: layout)
            await reckoner.close()
            await suite.stop()
            throw error
        }
    }

    /// Of a soak that could not be held to its end, for whoever wants to know why.
    private func keepLogs(of layout: StackLayout) {
        let kept = FileManager.default.temporaryDirectory.appending(path: "authms-soak-logs")
        try? FileManager.default.removeItem(at: kept)
        try? FileManager.default.copyItem(atPath: layout.logDirectory, toPath: kept.path(percentEncoded: false))
    }
}
