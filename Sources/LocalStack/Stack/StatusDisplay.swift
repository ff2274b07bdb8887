import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Shows the stack while it runs: a table that is drawn anew on a terminal, one line a change elsewhere.
package final class StatusDisplay: Sendable {
    private struct State {
        var last: StackStatus?
        var drawnLines = 0
    }

    private let state = Mutex(State())
    private let isTerminal: Bool
    private let startedAt = ContinuousClock.now

    package init() {
        isTerminal = isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// Shows what changed.
    package func show(_ status: StackStatus) {
        state.withLock { state in
            if isTerminal {
                var text = state.drawnLines > 0 ? "\u{1b}[\(state.drawnLines)A" : ""
                let lines = StatusTable(status, isColoured: true, width: Self.terminalWidth).lines
                text += lines.map { "\r\u{1b}[2K\($0)\n" }.joined()
                state.drawnLines = lines.count
                Self.write(text)
            } else {
                for unit in status.units where Self.isNews(unit, since: state.last?[unit.name]) {
                    let seconds = startedAt.duration(to: .now).formatted(.units(fractionalPart: .show(length: 1)))
                    let reason = unit.reason.isEmpty ? "" : ": \(unit.reason)"
                    Self.write("[\(seconds)] \(unit.name) (port \(unit.port)) \(unit.phase.rawValue)\(reason)\n")
                }
            }
            state.last = status
        }
    }

    /// Prints text that stays; a table that is drawn later stands below it.
    package func say(_ text: String) {
        state.withLock { state in
            state.drawnLines = 0
            Self.write(text + "\n")
        }
    }

    private static func isNews(_ unit: UnitStatus, since old: UnitStatus?) -> Bool {
        guard unit.phase != .preparing, unit.phase != .waiting else { return false }
        return unit.phase != old?.phase
    }

    private static var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 100 }
        return Int(size.ws_col)
    }

    private static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
