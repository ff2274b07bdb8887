/// Something that a soak does to its suite, and undoes.
package struct SoakFault: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// To a process of the suite, or to the way to it.
        case cause(Cause)
        /// The broker has more memory in use than it may: it takes nothing from publishers.
        case memoryAlarm
        /// The disk that a database lies on is full.
        case fullDisk
    }

    package let kind: Kind

    package var name: String {
        switch kind {
        case .cause(let cause): cause.name
        case .memoryAlarm: "rabbitmq memory alarm"
        case .fullDisk: "\(SmallDisk.database) disk full"
        }
    }

    /// Every fault that there is, in an order that the seed decides; each comes before any comes again.
    ///
    /// - Parameter hasSmallDisk: whether a database lies on a disk that may be filled.
    static func deck(hasSmallDisk: Bool, using generator: inout some RandomNumberGenerator) -> [SoakFault] {
        let gateway = [Cause(["gateway"], .killed), Cause(["gateway"], .stalled)]
        let causes = Cause.all(withProxies: true) + gateway
        // One of each kind that is not a process's comes among the first: ten minutes have room for forty.
        let special: [Kind] = [.memoryAlarm] + (hasSmallDisk ? [.fullDisk] : [])
        var first = causes.shuffled(using: &generator).map { SoakFault(kind: .cause($0)) }
        for kind in special {
            first.insert(SoakFault(kind: kind), at: Int.random(in: 0..<min(8, first.count), using: &generator))
        }
        return first
    }
}

/// Random numbers that a seed decides, so that a soak can be held again as it was (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
