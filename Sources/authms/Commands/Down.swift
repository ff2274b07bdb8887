import ArgumentParser
import ConnectionKit
import LocalStack

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops the suite that runs in this checkout, in order.")

    @Flag(help: "Also forgets everything: databases, queues, mails, keys, secrets, logs.")
    var wipe = false

    func run() async throws {
        let layout = try Local.layout()
        if StackLock.isHeld(layout) {
            try await ControlClient(layout: layout).stop()
            let deadline = Deadline.after(.seconds(90))
            while StackLock.isHeld(layout) {
                guard !deadline.hasPassed else {
                    throw LocalStackError(
                        .inUse, "The suite has not stopped within 90 seconds: see \(layout.logDirectory).")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            Local.say("The suite has stopped.")
        } else if !wipe {
            throw LocalStackError(.notRunning, "The suite does not run here.")
        }
        guard wipe else { return }
        for name in StackLayout.wiped { try Files.remove("\(layout.root)/\(name)") }
        Local.say("Everything under \(layout.root) is forgotten.")
    }
}
