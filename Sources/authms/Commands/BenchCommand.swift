import ArgumentParser
import Bench
import ConnectionKit
import Contracts
import Foundation
import LocalStack
import Logging
import Postgres
import Recovery

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what the suite promises; each ratio in one run, both sides alternating.",
        discussion:
            "Starts a suite of its own, on ports of its own, and forgets it afterwards. All of it takes some fifteen minutes. "
            + "Ends with 0 when every goal was met, with 1 when one was not."
    )

    /// What can be measured by itself, in the order in which it is measured.
    enum Section: String, CaseIterable, ExpressibleByArgument {
        case tokens, passwords, gateway, footprint, login, refresh, permissions, revocation, events, warmup, scale
        case auditStall = "audit-stall"

        /// What it is measured with, or compared with.
        var programs: [BenchPrograms] {
            switch self {
            case .tokens: [.openssl]
            case .gateway: [.wrk, .haproxy]
            case .login, .permissions: [.wrk]
            case .refresh: [.wrk, .pgbench, .psql]
            case .passwords, .footprint, .revocation, .events, .warmup, .scale, .auditStall: []
            }
        }

        /// Whether it is measured on the one suite of all; the warm-up starts two of its own, and what counts users one.
        var needsSuite: Bool {
            switch self {
            case .tokens, .passwords, .gateway, .warmup, .scale: false
            case .footprint, .login, .refresh, .permissions, .revocation, .events, .auditStall: true
            }
        }
    }

    @Argument(help: "What to measure; everything by default.")
    var sections: [Section] = Section.allCases

    @Option(help: "Where to write the warm-up's plots as a page.")
    var html: String?
    @Option(help: ArgumentHelp("Where to write every figure and whether its goal was met.", valueName: "file"))
    var json: String?
    @Option(
        help: ArgumentHelp(
            "For how many seconds audit-stall stalls the audit database under load; the promise is for 300 (--stall 300).",
            valueName: "seconds"))
    var stall = 60
    @Option(
        help: ArgumentHelp(
            "How many times the usual load the warm-up is measured under; the promise is for 3. What a machine bears of it, less shows.",
            valueName: "times"))
    var load = WarmupBench.promisedLoad

    func validate() throws {
        guard (10...600).contains(stall) else { throw ValidationError("--stall takes 10 to 600 seconds.") }
        guard (1...20).contains(load) else { throw ValidationError("--load takes 1 to 20.") }
    }

    func run() async throws {
        var tally = Tally()
        let wanted = Section.allCases.filter(sections.contains)
        for section in wanted { try BenchPrograms.require(section.programs) }
        for section in wanted where !section.needsSuite {
            Local.say("\(section.rawValue.capitalized) …")
            tally.add(try await measure(section), of: section)
        }
        let onSuite = wanted.filter(\.needsSuite)
        if !onSuite.isEmpty { try await measure(onSuite, &tally) }
        Local.say("\(tally.met) goals met, \(tally.missed.count) missed.")
        for name in tally.missed { Local.say("  ✘ \(name)") }
        if let json { try tally.write(to: json) }
        guard tally.missed.isEmpty else { throw ExitCode(1) }
    }

    private func measure(_ section: Section) async throws -> [BenchResult] {
        switch section {
        case .tokens: try await VerifyBench.run()
        case .passwords: try await PasswordBench.run()
        case .gateway: try await GatewayBench().run()
        case .warmup: try await warmup()
        case .scale:
            try await ScaleBench(
                executable: StackLayout.currentExecutable, repository: try Local.layout().repository,
                narrate: Self.narrate
            ).run()
        case .footprint, .login, .refresh, .permissions, .revocation, .events, .auditStall: []
        }
    }

    /// What takes long says how far it is.
    static func narrate(_ step: String) { Local.say("  … \(step)") }

    private func warmup() async throws -> [BenchResult] {
        let bench = WarmupBench(
            executable: StackLayout.currentExecutable, repository: try Local.layout().repository, load: load,
            narrate: Self.narrate)
        let (results, page) = try await bench.run()
        for line in page.lines() { Local.say("  \(line)") }
        if let html {
            do {
                try Data(page.html.utf8).write(to: URL(filePath: html))
            } catch {
                throw LocalStackError(.storage, "The page cannot be written: \(error.localizedDescription)")
            }
        }
        return results
    }

    private func measure(_ sections: [Section], _ tally: inout Tally) async throws {
        Local.say("Starting a suite to measure …")
        let repository = try Local.layout().repository
        let suite = try await BenchSuite.start(executable: StackLayout.currentExecutable, repository: repository)
        do {
            let target = suite.target(sessionDatabase: try database(of: .session, in: suite.layout))
            for section in sections {
                Local.say("\(section.rawValue.capitalized) …")
                tally.add(try await measure(section, target, suite.layout), of: section)
            }
        } catch {
            await suite.stop()
            throw error
        }
        await suite.stop()
    }

    private func measure(
        _ section: Section, _ target: BenchTarget, _ layout: StackLayout
    ) async throws -> [BenchResult] {
        switch section {
        case .footprint: return try await FootprintBench(layout: layout).run()
        case .login: return try await LoginBench(target: target).run()
        case .refresh: return try await RefreshBench(target: target).run()
        case .permissions: return try await PermissionBench(layout: layout).run()
        case .revocation: return try await RevocationBench(layout: layout, target: target).run()
        case .events:
            let events = EventBench(
                sessionDatabase: try database(of: .session, in: layout),
                identityDatabase: try database(of: .identity, in: layout),
                auditDatabase: try database(of: .audit, in: layout), narrate: Self.narrate)
            return try await events.run()
        case .auditStall: return try await auditStall(in: layout)
        case .tokens, .passwords, .gateway, .warmup, .scale: return []
        }
    }

    func database(of role: ServiceRole, in layout: StackLayout) throws -> String {
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.load(in: layout), executable: StackLayout.currentExecutable,
            settings: Local.settings)
        guard let database = plan.databases[role] else {
            throw LocalStackError(.usage, "The \(role.rawValue) service has no database.")
        }
        return database.ownURL
    }

    /// Prints results as they come, counts, and keeps them.
    private struct Tally: Encodable {
        var met = 0
        var missed: [String] = []
        var sections: [SectionResults] = []

        struct SectionResults: Encodable {
            let name: String
            let results: [BenchResult]
        }

        mutating func add(_ results: [BenchResult], of section: Section) {
            sections.append(SectionResults(name: section.rawValue, results: results))
            for result in results {
                Local.say("  \(result)")
                guard result.goal != nil else { continue }
                if result.passes { met += 1 } else { missed.append(result.description) }
            }
        }

        func write(to file: String) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            do {
                try encoder.encode(self).write(to: URL(filePath: file))
            } catch {
                throw LocalStackError(.storage, "The figures cannot be written: \(error.localizedDescription)")
            }
        }
    }
}
