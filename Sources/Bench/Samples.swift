/// Figures of one side of a comparison, one for each round.
///
/// Both sides of a comparison alternate within one run, since the machine's speed drifts; the median forgets a round
/// that something else disturbed.
struct Samples {
    private(set) var values: [Double] = []

    mutating func append(_ value: Double) {
        values.append(value)
    }

    /// The middle value; zero when there is none.
    var median: Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
