import Contracts
package import Foundation
package import Postgres

/// Neighbouring records that the retention policy has dropped, by their hashes in the chain; also a line of an export.
package struct DroppedRun: Sendable, Hashable, Codable, PostgresRowDecodable {
    package let tenantID: UUID
    package let firstSequence: Int64
    /// 32 bytes a record.
    package let hashes: [UInt8]

    /// One past the last.
    package var end: Int64 { firstSequence + Int64(hashes.count / 32) }

    /// The hash of the record with that sequence, which is in the run.
    package func hash(of sequence: Int64) -> [UInt8] {
        let start = Int(sequence - firstSequence) * 32
        return Array(hashes[start..<(start + 32)])
    }

    package init(row: PostgresRow) throws {
        tenantID = try row.decode("tenant_id")
        firstSequence = try row.decode("first_sequence")
        hashes = try row.decode("hashes")
    }

    private enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case firstSequence = "first_sequence"
        case hashes
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        tenantID = try container.decode(UUID.self, forKey: .tenantID)
        firstSequence = try container.decode(Int64.self, forKey: .firstSequence)
        let text = try container.decode(String.self, forKey: .hashes)
        guard firstSequence > 0, !text.isEmpty, text.utf8.count % 64 == 0,
            let hashes = Hex.bytes(text, count: text.utf8.count / 2)
        else {
            throw DecodingError.dataCorruptedError(forKey: .hashes, in: container, debugDescription: "malformed")
        }
        self.hashes = hashes
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(tenantID.text, forKey: .tenantID)
        try container.encode(firstSequence, forKey: .firstSequence)
        try container.encode(Hex.text(hashes), forKey: .hashes)
    }
}

/// The lines at the beginning of an export that tell of dropped records, read as the records come by.
struct DroppedLines {
    private static let mark = Array(#"{"dropped":"#.utf8)
    private var lines: LineReader
    private var run: DroppedRun?
    private var isAtEnd = false
    /// Whose they are; nil where there are none.
    let tenantID: UUID?

    /// - Throws: ``ExportError`` for a line that is none of an export.
    init(_ lines: LineReader) throws {
        var lines = lines
        run = try Self.next(&lines)
        tenantID = run?.tenantID
        self.lines = lines
    }

    static func isOne(_ line: [UInt8]) -> Bool { line.starts(with: mark) }

    /// The hash of the record with that sequence if it was dropped. The sequences that are asked for rise.
    mutating func hash(of sequence: Int64) throws -> [UInt8]? {
        while !isAtEnd, (run?.end ?? 0) <= sequence {
            run = try Self.next(&lines)
            isAtEnd = run == nil
        }
        guard let run, run.firstSequence <= sequence, sequence < run.end else { return nil }
        return run.hash(of: sequence)
    }

    private static func next(_ lines: inout LineReader) throws -> DroppedRun? {
        guard let line = try lines.next(), isOne(line) else { return nil }
        guard let run = try? JSONDecoder().decode([String: DroppedRun].self, from: Data(line))["dropped"] else {
            throw ExportError("A line that tells of dropped records is malformed.")
        }
        return run
    }
}
