import Foundation

/// How a server says that it will execute a statement: what `EXPLAIN (FORMAT JSON)` answers.
package struct QueryPlan: Sendable, CustomStringConvertible {
    /// Kinds of steps and what each works on, `Seq Scan on users` for example.
    package private(set) var steps: [String] = []
    package let description: String

    /// - Throws: when the text is no plan.
    package init(json: String) throws {
        description = json
        let plans = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]]
        guard let root = plans?.first?["Plan"] as? [String: Any] else {
            throw CocoaError(.propertyListReadCorrupt)
        }
        collect(root)
    }

    /// The tables that are read from end to end.
    package var scannedTables: Set<String> {
        Set(steps.filter { $0.hasPrefix("Seq Scan on ") }.map { String($0.dropFirst("Seq Scan on ".count)) })
    }

    /// Whether some step reads an index whose name has that part: a partition's index is named after its columns.
    package func usesIndex(naming part: String) -> Bool {
        steps.contains { $0.split(separator: " by ").dropFirst().last?.contains(part) == true }
    }

    private mutating func collect(_ node: [String: Any]) {
        var step = node["Node Type"] as? String ?? "?"
        if let table = node["Relation Name"] as? String { step += " on \(table)" }
        if let index = node["Index Name"] as? String { step += " by \(index)" }
        steps.append(step)
        for child in node["Plans"] as? [[String: Any]] ?? [] { collect(child) }
    }
}
