import Foundation
import LocalStack

/// What the commands that deal with this machine's private stack begin with.
enum Local {
    static var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// What of this process's environment the services can be configured with.
    static var settings: [String: String] {
        environment.filter { ConfigurationReference.environmentNames.contains($0.key) }
    }

    /// The layout of the checkout that this is run in.
    static func layout() throws -> StackLayout {
        try StackLayout.find(environment: environment)
    }

    /// The plan of a stack that has been started before.
    ///
    /// - Throws: `LocalStackError` where none has, or the one that runs listens elsewhere than the environment says.
    static func existingPlan() throws -> StackPlan {
        let layout = try layout()
        try PortOffset.requireThatOfRunningSuite(layout)
        return StackPlan(
            layout: layout, secrets: try StackSecrets.load(in: layout), executable: StackLayout.currentExecutable,
            settings: HandedOnSettings.recorded(in: layout) ?? settings)
    }

    /// How many processes each service shall have: what was asked for, else what AUTHMS_REPLICAS says, else one.
    static func replicas(asked: Int?) throws -> Int {
        let text = environment["AUTHMS_REPLICAS"] ?? "1"
        guard let count = asked ?? Int(text), (1...StackLayout.maximumReplicas).contains(count) else {
            throw LocalStackError(
                .usage,
                "There can be 1 to \(StackLayout.maximumReplicas) replicas of each service, not "
                    + "\(asked.map { "\($0)" } ?? "AUTHMS_REPLICAS=\(text)").")
        }
        return count
    }

    /// Prints a line at once, also where standard output is a pipe.
    static func say(_ line: String = "") {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    static var standardOutputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
