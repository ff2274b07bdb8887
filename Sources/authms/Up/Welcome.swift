import Foundation
import LocalStack

/// What is said once everything is ready: where to look, and who may sign in first.
struct Welcome {
    let plan: StackPlan

    func text(readyAfter seconds: String, administrator: Administrator?) -> String {
        let gateway = plan.layout.url(of: .gateway)
        var lines = [
            "", "Ready after \(seconds). Try:",
            "  curl \(gateway)/health",
            "  curl \(gateway)/.well-known/jwks.json",
            "  curl \(gateway)/identity/api/v1/public/auth-config/default",
            "  authms demo          the main job, with the identity database stopped for ten seconds",
            "  authms env           addresses and credentials of everything",
        ]
        if let administrator {
            lines += [
                "", "First administrator: \(administrator.email)",
                "One-time password:   \(administrator.password)   (shown once; must be changed at the first login)",
            ]
        }
        lines += ["", "Logs: \(plan.layout.logDirectory). Ctrl-C stops everything; the data stays.", ""]
        return lines.joined(separator: "\n")
    }
}
