import ArgumentParser
import Bench
import Foundation
import LocalStack

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what the suite promises; each ratio in one run, both sides alternating.",
        discussion:
            "Starts a suite of its own, on ports of its own, and forgets it afterwards. Takes about four minutes.")

    func run() async throws {
        var tally = Tally()
        Local.say("Tokens and passwords …")
        tally.add(try await VerifyBench.run())
        tally.add(try await PasswordBench.run())
        Local.say("The gateway beside HAProxy …")
        tally.add(try await GatewayBench().run())
        Local.say("Starting a suite to measure …")
        let repository = try Local.layout().repository
        let suite = try await BenchSuite.start(executable: StackLayout.currentExecutable, repository: repository)
        do {
            let target = suite.target(sessionDatabase: try sessionDatabase(of: suite.layout))
            tally.add(try await FootprintBench(layout: suite.layout).run())
            tally.add(try await LoginBench(target: target).run())
            tally.add(try await RefreshBench(target: target).run())
        } catch {
            await suite.stop()
            throw error
        }
        await suite.stop()
        Local.say("\(tally.met) goals met, \(tally.missed) missed.")
    }

    private func sessionDatabase(of layout: StackLayout) throws -> String {
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.load(in: layout), executable: StackLayout.currentExecutable,
            environment: Local.environment)
        guard let database = plan.databases[.session] else {
            throw LocalStackError(.usage, "The session service has no database.")
        }
        return database.ownURL
    }

    /// Prints results as they come, and counts.
    private struct Tally {
        var met = 0
        var missed = 0

        mutating func add(_ results: [BenchResult]) {
            for result in results {
                Local.say("  \(result)")
                guard result.goal != nil else { continue }
                if result.passes { met += 1 } else { missed += 1 }
            }
        }
    }
}
