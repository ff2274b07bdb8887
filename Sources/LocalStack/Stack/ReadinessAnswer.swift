import Foundation

/// Reads what a service says on `/readyz` while it is not ready.
enum ReadinessAnswer {
    private struct Report: Decodable {
        struct Check: Decodable {
            let name: String
            let ok: Bool
            let problem: String?
        }
        let status: String
        let checks: [Check]
    }

    /// The failing checks, or what else can be said of the answer.
    static func problem(in answer: [UInt8]) -> String {
        let text = String(decoding: answer, as: UTF8.self)
        guard let body = text.range(of: "\r\n\r\n") else { return "answers nonsense" }
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(text[body.upperBound...].utf8)) else {
            return "answers \(text.prefix { $0 != "\r\n" })"
        }
        let failing = report.checks.filter { !$0.ok }.map { "\($0.name): \($0.problem ?? "not ok")" }
        return failing.isEmpty ? report.status : failing.joined(separator: "; ")
    }
}
