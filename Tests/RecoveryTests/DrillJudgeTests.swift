import Foundation
import Recovery
import Testing

@Suite("What the drill says of a cell")
struct DrillJudgeTests {
    /// Six seconds, from the tenth to the sixteenth; mended at once.
    private func cell(
        _ capability: Capability, _ samples: [Sample], _ fault: Fault = .stopped, until end: Double = 16
    ) -> DrillReport.Cell {
        DrillJudge(cause: Cause(["mfa"], fault), brokenAt: 10, outageEnd: end, mendedAt: end).cell(capability, samples)
    }

    private func samples(
        _ times: [Double], _ outcome: Sample.Outcome = .works, _ capability: Capability = .register
    ) -> [Sample] {
        times.map { Sample(capability, at: $0, outcome: outcome, detail: outcome.rawValue) }
    }

    @Test("As promised is kept, and once the time to degrade is over anything less is broken")
    func keptAndBroken() {
        #expect(cell(.register, samples([12.5, 13.5, 14.5])).verdict == .kept)
        #expect(cell(.register, samples([10.5], .broken) + samples([12.5, 13.5])).verdict == .kept)
        let broken = cell(.register, samples([12.5, 13.5]) + samples([14.5], .refused))
        #expect(broken.verdict == .broken && broken.fails && broken.examples == ["refused"])
    }

    @Test("A login with a second factor is refused without mfa, and one without it is not")
    func secondFactor() {
        #expect(cell(.loginMFA, samples([12.5, 13.5], .refused, .loginMFA)).verdict == .kept)
        #expect(cell(.loginMFA, samples([12.5, 13.5], .broken, .loginMFA)).verdict == .broken)
        #expect(cell(.login, samples([12.5, 13.5], .refused, .login)).verdict == .broken)
    }

    @Test("Of too few requests nothing is said, and that fails: also where all came while it might still degrade")
    func untested() {
        for few in [[], [13.5], [10.2, 10.8, 11.4, 11.9]] {
            let cell = cell(.register, samples(few))
            #expect(cell.verdict == .untested && cell.isRequired && cell.fails, "\(few)")
            #expect(cell.word == "UNTESTED" && cell.requests == few.count)
        }
    }

    @Test("One request that was worse than promised is told, however few there were")
    func brokenByOne() {
        #expect(cell(.register, samples([13.5], .broken)).verdict == .broken)
        // Nor does it heal: six seconds after it was mended.
        #expect(cell(.register, samples([22], .broken)).verdict == .broken)
    }

    @Test("A killed process is back before everything was asked: that is shown, and does not fail")
    func killed() {
        let unasked = cell(.register, samples([11.5]), .killed, until: 10.8)
        #expect(unasked.verdict == .untested && !unasked.isRequired && !unasked.fails)
        #expect(unasked.word == "untested")
        #expect(cell(.register, samples([10.1, 10.5]), .killed, until: 10.8).verdict == .kept)
    }

    @Test("The report counts the three apart, also as JSON, and says which of them it fails by")
    func report() throws {
        func row(_ cells: DrillReport.Cell...) -> DrillReport.Row {
            DrillReport.Row(cause: Cause(["mfa"], .stopped), brokenAt: 10, mendedAt: 16, cells: cells)
        }
        let kept = cell(.register, samples([12.5, 13.5]))
        let broken = cell(.register, samples([13.5], .broken))
        let forgiven = cell(.register, [], .killed, until: 10.8)
        var report = DrillReport(startedAt: Date(timeIntervalSince1970: 0))
        report.rows = [row(kept, kept), row(forgiven)]
        #expect(report.isKept && report.verdicts.line == "2 kept, 0 broken, 1 untested")
        report.rows.append(row(kept, cell(.register, [])))
        #expect(!report.isKept && report.conclusion == "Promises that had to be tested were not.")
        report.rows.append(row(broken))
        #expect(!report.isKept && report.conclusion == "Promises were broken.")
        #expect(report.verdicts.line == "3 kept, 1 broken, 2 untested")
        #expect(report.html.contains("3 kept, 1 broken, 2 untested"))
        #expect(report.html.contains("class='untested'") && report.html.contains("class='miss'"))
        let read = try JSONDecoder().decode(DrillReport.self, from: JSONEncoder().encode(report))
        #expect(read.verdicts == report.verdicts)
        #expect(read.rows.flatMap(\.cells).map(\.verdict) == [.kept, .kept, .untested, .kept, .untested, .broken])
    }
}
