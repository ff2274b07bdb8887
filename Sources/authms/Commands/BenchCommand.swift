import ArgumentParser
import Bench

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what the suite promises; each ratio in one run, both sides alternating.")

    func run() async throws {
        var results = try await VerifyBench.run()
        results += try await PasswordBench.run()
        results += try await GatewayBench().run()
        for result in results { Local.say("\(result)") }
    }
}
