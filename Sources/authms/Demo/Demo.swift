import ArgumentParser
import ConnectionKit
import Contracts
import Foundation
import LocalStack
import MicroMiddleware

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Shows the main job against the running suite, and that it survives the loss of the identity database.",
        discussion: "Exit code 0 when everything went as promised, 1 when something did not, 3 when nothing runs.")

    @Option(help: "How many seconds the identity database stays away.")
    var outage = 10

    func validate() throws {
        guard (3...120).contains(outage) else { throw ValidationError("--outage takes 3 to 120 seconds.") }
    }

    func run() async throws {
        let plan = try Local.existingPlan()
        let control = ControlClient(layout: plan.layout)
        let status = try await control.status()
        guard status["postgres-identity"]?.phase == .ready, status["gateway"]?.phase == .ready else {
            throw LocalStackError(.notRunning, "The suite runs, but is not ready yet: see `authms status`.")
        }
        var story = DemoStory(
            plan: plan, control: control, outage: .seconds(outage), keys: try await DemoKeys(plan: plan))
        do {
            try await story.tell()
        } catch let error as DemoStory.CannotGoOn {
            Local.say("\n\(error.description)")
        }
        Local.say(
            story.failures == 0
                ? "\nEverything went as promised." : "\n\(story.failures) of the steps did not go as promised.")
        if story.failures > 0 { throw ExitCode(1) }
    }
}
