import Foundation

/// The status as people read it: one line a process.
package struct StatusTable: Sendable {
    package let status: StackStatus
    /// Whether to colour: only where a terminal shows it.
    package let isColoured: Bool
    /// At most so many characters a line.
    package let width: Int

    package init(_ status: StackStatus, isColoured: Bool, width: Int = 120) {
        self.status = status
        self.isColoured = isColoured
        self.width = width
    }

    package var lines: [String] {
        status.units.map { line(for: $0) }
    }

    private func line(for unit: UnitStatus) -> String {
        let restarts = unit.restarts > 0 ? " (restarted \(unit.restarts)×)" : ""
        let reason = unit.reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        var text = "\(mark(unit.phase)) \(pad(unit.name, 18)) \(pad("\(unit.port)", 6)) \(pad(unit.phase.rawValue, 10))"
        text += " \(reason)\(restarts)"
        let cut = text.count > width ? text.prefix(width - 1) + "…" : text[...]
        guard isColoured else { return String(cut) }
        return "\u{1b}[\(colour(unit.phase))m\(cut)\u{1b}[0m"
    }

    private func mark(_ phase: UnitPhase) -> String {
        switch phase {
        case .ready: "✔"
        case .failed, .unready: "✘"
        case .stopped, .paused: "■"
        default: "…"
        }
    }

    private func colour(_ phase: UnitPhase) -> Int {
        switch phase {
        case .ready: 32
        case .failed, .unready: 31
        case .stopped, .paused, .restarting: 33
        default: 2
        }
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
