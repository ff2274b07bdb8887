import Bench
import Foundation
import Testing

@Suite("A database's own times")
struct DatabaseLogTests {
    private static let begin = Date(timeIntervalSince1970: 1_795_747_200)  // 2026-11-27 02:40:00 UTC

    private static func log(_ lines: String...) throws -> DatabaseLog {
        try DatabaseLog(text: Array((lines.joined(separator: "\n") + "\n").utf8), since: begin)
    }

    @Test("A statement takes what its parsing, binding and executing take, each process by itself")
    func sums() throws {
        let log = try Self.log(
            "2026-11-27 02:40:01.000 UTC [7] LOG:  duration: 1.500 ms  parse s1: SELECT 'x",
            "\tLOG:  duration: 99 ms  execute of a text'",
            "2026-11-27 02:40:01.001 UTC [8] LOG:  duration: 0.250 ms  bind s1: SELECT 1",
            "2026-11-27 02:40:01.002 UTC [7] LOG:  duration: 0.250 ms  bind s1: SELECT 1",
            "2026-11-27 02:40:01.003 UTC [7] LOG:  duration: 0.250 ms  execute s1: SELECT 1",
            "2026-11-27 02:40:02.004 UTC [8] LOG:  duration: 0.500 ms  execute s1: SELECT 1",
            "2026-11-27 02:40:03.000 UTC [7] LOG:  duration: 4.000 ms  statement: COMMIT",
            "2026-11-27 02:40:03.500 UTC [9] LOG:  checkpoint starting: time")
        #expect(log.p95_ms(from: 1, to: 2) == 2)
        #expect(log.p95_ms(from: 2, to: 3) == 0.75)
        #expect(log.p95_ms(from: 3, to: 4) == 4)
        #expect(log.p95_ms(from: 4, to: 9) == nil)
    }

    @Test("Five of a hundred may be slower than the 95th percentile")
    func percentile() throws {
        func log(slow: Int) throws -> DatabaseLog {
            let lines = (0..<100).map { number in
                "2026-11-27 02:40:01.000 UTC [7] LOG:  duration: \(number < slow ? 50 : 1).000 ms  statement: COMMIT"
            }
            return try DatabaseLog(text: Array(lines.joined(separator: "\n").utf8), since: Self.begin)
        }
        #expect(try log(slow: 5).p95_ms(from: 0, to: 2) == 1)
        #expect(try log(slow: 6).p95_ms(from: 0, to: 2) == 50)
    }
}
