#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Finds the field whose number its type cannot hold: `5.5` or `1e400` for an integer.
///
/// The decoder reports such a number as "not valid JSON", without a path. So, on that path only, each number that might
/// be it is tried alone: all others are replaced by `0`, and the one for which decoding still fails is named.
struct JSONNumberDiagnosis {
    private struct Candidate {
        let number: Range<Int>
        let field: Range<Int>?
    }

    /// Larger bodies, and those with more candidates, are not examined: the answer is then for the body as a whole.
    private static let maximumBytes = 65_536
    private static let maximumCandidates = 8

    /// The name of the field, or `nil` when a number is not what is wrong.
    static func field(in bytes: [UInt8], decode: ([UInt8]) -> DecodingError?) -> String? {
        guard bytes.count <= maximumBytes else { return nil }
        let candidates = candidates(in: bytes)
        guard !candidates.isEmpty, candidates.count <= maximumCandidates else { return nil }
        guard !isUnexplained(decode(zeroing(candidates, in: bytes))) else { return nil }
        for (index, candidate) in candidates.enumerated() {
            var others = candidates
            others.remove(at: index)
            guard isUnexplained(decode(zeroing(others, in: bytes))) else { continue }
            return candidate.field.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "body"
        }
        return nil
    }

    /// Whether the error is one that names no field.
    static func isUnexplained(_ error: DecodingError?) -> Bool {
        guard case .dataCorrupted(let context)? = error else { return false }
        return context.codingPath.isEmpty
    }

    /// The numbers that are well formed (RFC 8259, section 6) but no 64-bit integers, each with the key before it.
    private static func candidates(in bytes: [UInt8]) -> [Candidate] {
        var candidates: [Candidate] = []
        var field: Range<Int>?
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\"") {
                let string = JSONScan.string(in: bytes, from: index)
                if JSONScan.isFollowedByColon(bytes, string.upperBound + 1) { field = string }
                index = string.upperBound + 1
            } else if isNumberByte(bytes[index]) {
                let end = bytes[index...].firstIndex { !isNumberByte($0) } ?? bytes.count
                let text = String(decoding: bytes[index..<end], as: UTF8.self)
                if Int64(text) == nil, text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil {
                    candidates.append(Candidate(number: index..<end, field: field))
                    if candidates.count > maximumCandidates { return candidates }
                }
                index = end
            } else {
                index += 1
            }
        }
        return candidates
    }

    private static func zeroing(_ candidates: [Candidate], in bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for candidate in candidates {
            for index in candidate.number { bytes[index] = UInt8(ascii: " ") }
            bytes[candidate.number.lowerBound] = UInt8(ascii: "0")
        }
        return bytes
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }
}
