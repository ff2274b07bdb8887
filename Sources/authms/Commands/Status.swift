import ArgumentParser
import Foundation
import LocalStack

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows each process of the running suite: port, ready or why not.",
        discussion: "Exit code 0 when everything is ready, 1 when something is not, 3 when nothing runs.")

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let status = try await ControlClient(layout: try Local.layout()).status()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            Local.say(String(decoding: try encoder.encode(status), as: UTF8.self))
        } else {
            let table = StatusTable(status, isColoured: Local.standardOutputIsTerminal, width: 160)
            for line in table.lines { Local.say(line) }
        }
        if !status.isReady { throw ExitCode(1) }
    }
}
