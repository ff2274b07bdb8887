import Foundation

/// Rows under headings, each column as wide as its widest cell, for a terminal.
struct TextTable {
    let headings: [String]
    var rows: [[String]] = []

    /// The lines, without blanks at their ends.
    var lines: [String] {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: max(0, width - cell.count))
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// What a JSON value looks like in a cell.
    static func cell(_ value: Any?) -> String {
        switch value {
        case let text as String: text
        case let list as [Any]: list.map { cell($0) }.joined(separator: ",")
        case let fields as [String: Any]:
            fields.keys.sorted().map { "\($0)=\(cell(fields[$0]))" }.joined(separator: " ")
        // A number that is 0 or 1 would pass for a Bool.
        case let number as NSNumber where String(cString: number.objCType) == "c": number.boolValue ? "yes" : "no"
        case let number as Int: String(number)
        default: "-"
        }
    }
}

extension AdminAnswer {
    /// Prints the items as a table, and how many more there are; or as JSON.
    func printTable(_ columns: [(heading: String, name: String)], json: Bool, nothing: String) throws {
        if json { return try printJSON() }
        guard !items.isEmpty else { return Local.say(nothing) }
        var table = TextTable(headings: columns.map(\.heading))
        table.rows = items.map { item in columns.map { TextTable.cell(item[$0.name]) } }
        for line in table.lines { Local.say(line) }
        if total > items.count { Local.say("\(items.count) of \(totalText): --page and --limit show the others.") }
    }

    /// Prints fields one below the other; or as JSON.
    func printFields(_ names: [String], json: Bool) throws {
        if json { return try printJSON() }
        let width = names.map(\.count).max() ?? 0
        for name in names where data[name] != nil {
            let gap = String(repeating: " ", count: width - name.count + 2)
            Local.say(name.replacing("_", with: " ") + gap + TextTable.cell(data[name]))
        }
    }
}
