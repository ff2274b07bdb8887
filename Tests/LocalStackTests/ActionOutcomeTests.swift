import LocalStack
import Testing

@Suite("What an action on a process leads to")
struct ActionOutcomeTests {
    private func unit(_ phase: UnitPhase, process: Int32?) -> UnitStatus {
        UnitStatus(name: "redis", port: 1, phase: phase, reason: "", processIdentifier: process, restarts: 0)
    }

    @Test(
        "Each action says what it leads to, and not how the process was before",
        arguments: [
            (StackSupervisor.Action.stop, "redis has stopped"), (.restart, "redis has stopped and starts again"),
            (.kill, "redis was killed and is started again"), (.pause, "redis is paused"),
            (.start, "redis runs already"), (.continue, "redis was not paused: it is ready"),
        ])
    func running(action: StackSupervisor.Action, words: String) {
        #expect(action.outcome(for: unit(.ready, process: 7)).hasPrefix(words))
    }

    @Test("Of a process that is not there, what cannot be done to it is not claimed")
    func stopped() {
        let stopped = unit(.stopped, process: nil)
        #expect(StackSupervisor.Action.start.outcome(for: stopped).hasPrefix("redis starts;"))
        #expect(StackSupervisor.Action.restart.outcome(for: stopped).hasPrefix("redis starts;"))
        for action in [StackSupervisor.Action.kill, .pause] {
            #expect(action.outcome(for: stopped) == "Nothing was done: redis is stopped and has no process.")
        }
    }

    @Test("A paused process goes on")
    func paused() {
        #expect(StackSupervisor.Action.continue.outcome(for: unit(.paused, process: 7)) == "redis goes on.")
    }
}
