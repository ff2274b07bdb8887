import Recovery
import Testing

@Suite("The contract as the drill holds it")
struct ContractTests {
    @Test("Of two causes at once a cell is the worse of the two")
    func pairs() {
        for cause in Cause.pairs where Set(cause.units) != ["session", "identity"] {
            for capability in Capability.allCases {
                let each = cause.units.map { Cause([$0], .stopped).promise(of: capability) }
                #expect(cause.promise(of: capability) == each.max(), "\(cause.name) \(capability)")
            }
        }
        #expect(Cause.pairs.count == 66)
        #expect(Set(Cause.pairs.map { Set($0.units) }).count == 66)
    }

    @Test("Without identity and session nobody is left to sign a refresh, and tokens still verify")
    func bothSigners() {
        let cause = Cause(["session", "identity"], .stopped)
        #expect(cause.promise(of: .refresh) == .refused)
        #expect(cause.promise(of: .verify) == .works)
    }

    @Test("Every process is broken by every signal, and whatever can have a proxy in front of it in every other way")
    func causes() {
        let all = Cause.all(withProxies: true)
        #expect(all.count == 12 * 3 + 7 * 3)
        #expect(Set(all).count == all.count)
        #expect(Cause.all(withProxies: false).count == 36)
    }

    @Test(
        "The short form touches each promise of each capability that the whole drill touches", arguments: [true, false])
    func short(withProxies: Bool) {
        func touched(_ causes: [Cause]) -> Set<String> {
            Set(causes.flatMap { cause in Capability.allCases.map { "\($0) \(cause.promise(of: $0))" } })
        }
        #expect(touched(Cause.short(withProxies: withProxies)) == touched(Cause.all(withProxies: withProxies)))
        #expect(Cause.short(withProxies: withProxies).contains { $0.units.count == 2 })
    }
}
