import Foundation
import LocalStack

/// What is said once everything is ready: where to look, and who may sign in first.
struct Welcome {
    let plan: StackPlan

    func text(readyAfter seconds: String, administrator: Administrator?) -> String {
        let gateway = plan.layout.url(of: .gateway)
        // As it was called: that works in this shell.
        let authms = CommandLine.arguments[0]
        var lines = [
            "", "Ready after \(seconds). Try:",
            "  \(gateway)/docs   the API, in a browser",
            "  curl \(gateway)/health",
            "  curl \(gateway)/identity/api/v1/public/auth-config/default",
            "and in a second terminal:",
            "  make demo   the main job, with the identity database stopped for ten seconds",
            "  make down   stop everything; the data stays",
            "  \(authms) env   addresses and credentials of everything",
        ]
        if let administrator {
            lines += [
                "", "First administrator: \(administrator.email)",
                "One-time password:   \(administrator.password)   (must be changed at the first login)",
                "\(authms) env prints both again.",
            ]
        }
        lines += ["", "Logs: \(plan.layout.logDirectory). Ctrl-C stops everything; the data stays.", ""]
        return lines.joined(separator: "\n")
    }
}
