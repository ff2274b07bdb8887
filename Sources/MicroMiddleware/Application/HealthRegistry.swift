package import ConnectionKit
internal import Synchronization

/// What a service needs in order to work, as `/readyz` reports it.
///
/// Register while composing the service. A check that is `required` turns readiness red; one that is `degrading` is
/// reported and leaves it green, because the degraded-mode contract lets the service work without it.
package final class HealthRegistry: Sendable {
    package enum Importance: String, Sendable {
        case required, degrading
    }

    /// Throws, with a sentence for the operator, when what it looks at does not work.
    package typealias Check = @Sendable (Deadline) async throws -> Void

    /// How long a check may take.
    package static let checkTimeout = Duration.seconds(1)

    private struct Entry: Sendable {
        let name: String
        let importance: Importance
        let check: Check
    }

    private struct State {
        var entries: [Entry] = []
    }

    private let state = Mutex(State())
    private let stopping = Atomic<Bool>(false)

    package init() {}

    /// Whether the service is stopping.
    package var isStopping: Bool { stopping.load(ordering: .relaxed) }

    /// Adds a check. A later one of the same name takes the earlier one's place.
    package func register(_ name: String, _ importance: Importance = .required, check: @escaping Check) {
        state.withLock { state in
            state.entries.removeAll { $0.name == name }
            state.entries.append(Entry(name: name, importance: importance, check: check))
        }
    }

    /// Turns readiness red for good: the service is stopping.
    package func startStopping() {
        stopping.store(true, ordering: .relaxed)
    }

    /// Runs every check at once, each with a deadline.
    package func report() async -> HealthReport {
        let entries = state.withLock { $0.entries }
        let results = await withTaskGroup(of: (Int, HealthReport.Result).self) { group in
            for (index, entry) in entries.enumerated() {
                group.addTask { (index, await Self.run(entry)) }
            }
            return await group.reduce(into: [(Int, HealthReport.Result)]()) { $0.append($1) }
        }
        return HealthReport(
            isStopping: isStopping, results: results.sorted { $0.0 < $1.0 }.map(\.1))
    }

    private static func run(_ entry: Entry) async -> HealthReport.Result {
        let problem = await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    try await entry.check(.after(checkTimeout))
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            // A check that does not heed its deadline is cancelled a little later.
            group.addTask {
                try? await Task.sleep(for: checkTimeout + .milliseconds(250))
                return "the check did not end in time"
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        return HealthReport.Result(name: entry.name, importance: entry.importance, problem: problem)
    }
}

/// What the checks found at one moment.
package struct HealthReport: Sendable {
    package struct Result: Sendable {
        package let name: String
        package let importance: HealthRegistry.Importance
        /// `nil` when all is well.
        package let problem: String?
    }

    package let isStopping: Bool
    package let results: [Result]

    /// Whether traffic should come here.
    package var isReady: Bool {
        !isStopping && results.allSatisfy { $0.problem == nil || $0.importance == .degrading }
    }

    /// `ready`, `degraded`, `unready` or `stopping`.
    package var status: String {
        if isStopping { return "stopping" }
        if !isReady { return "unready" }
        return results.contains { $0.problem != nil } ? "degraded" : "ready"
    }

    /// `{"status":"ready","checks":[{"name":"database","importance":"required","ok":true}]}`
    package func json() -> [UInt8] {
        var body: [UInt8] = [UInt8(ascii: "{")]
        JSONText.append("status", status, to: &body)
        JSONText.appendKey("checks", to: &body)
        body.append(UInt8(ascii: "["))
        for (index, result) in results.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body.append(UInt8(ascii: "{"))
            JSONText.append("name", result.name, to: &body)
            JSONText.append("importance", result.importance.rawValue, to: &body)
            JSONText.appendKey("ok", to: &body)
            body.append(contentsOf: (result.problem == nil ? "true" : "false").utf8)
            if let problem = result.problem { JSONText.append("problem", problem.prefix(300), to: &body) }
            body.append(UInt8(ascii: "}"))
        }
        body.append(contentsOf: "]}".utf8)
        return body
    }
}

/// Something that a service can work without is away.
package struct Unavailable: Error, CustomStringConvertible {
    package let description: String

    /// - Throws: this error, naming `what`, unless `isAvailable`.
    package static func unless(_ isAvailable: Bool, _ what: String) throws(Unavailable) {
        if !isAvailable { throw Unavailable(description: "\(what) is not available") }
    }
}
