import ConnectionKit
import Foundation
import LocalStack
import TestSupport
import Testing

@Suite("Processes and ports")
struct ProcessTests {
    private func specification(_ arguments: [String], directory: String) throws -> ProcessSpecification {
        ProcessSpecification(
            name: "child", executable: try ProgramFinder.find("sh", package: "dash"), arguments: arguments,
            environment: ProgramFinder.baseEnvironment(home: "/"), workingDirectory: "/", logFile: "\(directory)/log")
    }

    @Test("A child's end is told as it was: its code or its signal")
    func exits() async throws {
        let directory = try TestDirectory.make("exits")
        let seven = try await ManagedProcess.launch(specification(["-c", "exit 7"], directory: directory))
        #expect(await seven.exit() == .exited(code: 7))
        let killed = try await ManagedProcess.launch(specification(["-c", "sleep 60"], directory: directory))
        killed.signal(SIGKILL)
        #expect(await killed.exit() == .killed(signal: SIGKILL))
        #expect(killed.exitIfEnded == .killed(signal: SIGKILL))
    }

    @Test("A child that ignores the polite signal is ended by force after the grace")
    func force() async throws {
        let directory = try TestDirectory.make("force")
        let deaf = try await ManagedProcess.launch(
            specification(["-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"], directory: directory))
        let deadline = Deadline.after(.seconds(20))
        while Files.read("\(directory)/log")?.contains("deaf") != true, !deadline.hasPassed {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(await deaf.stop(grace: .milliseconds(200)) == .killed(signal: SIGKILL))
    }

    @Test("A program that is not there gets a sentence with its name")
    func missing() async throws {
        var nowhere = try specification([], directory: TestDirectory.make("missing"))
        nowhere.executable = "/nowhere/program"
        await #expect(throws: LocalStackError(.unavailable, "child cannot start: /nowhere/program is not there.")) {
            try await ManagedProcess.launch(nowhere)
        }
        #expect(throws: LocalStackError.self) { try ProgramFinder.find("no-such-program", package: "nothing") }
    }

    @Test("A port in use is refused with its number, its user's name and a way out")
    func portInUse() async throws {
        let server = try await TestRedis.start()
        let error = #expect(throws: LocalStackError.self) { try Ports.require(server.port, for: "the test") }
        #expect(error?.kind == .inUse)
        let beginning = "Port \(server.port), which the test needs, is in use by redis"
        #expect(error?.description.hasPrefix(beginning) == true, "\(error?.description ?? "")")
        await server.stop()
        #expect(throws: Never.self) { try Ports.require(server.port, for: "the test") }
    }

    @Test("The last words of a log are a service's own sentence, where it has one")
    func lastWords() {
        let log = "{\"msg\":\"starting\"}\nauthms: http.port is \"x\".\n"
        #expect(Diagnosis.lastWords(log, lines: 3) == "authms: http.port is \"x\".")
        #expect(Diagnosis.lastWords("one\ntwo\n\nthree\n", lines: 2) == "two | three")
        #expect(Diagnosis.lastWords("{\"msg\":\"a\"}\n", lines: 2) == "{\"msg\":\"a\"}")
        #expect(Diagnosis.kind(of: "could not extend file: No space left on device") == .storage)
    }
}
