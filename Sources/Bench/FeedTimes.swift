/// When the events of a feed were committed, batch by batch, and when how many of them were first seen in the trail.
package struct FeedTimes {
    private let batch: Int
    private var committed: [ContinuousClock.Instant] = []

    /// - Parameter batch: how many events are committed at a time.
    package init(batch: Int) {
        self.batch = batch
    }

    package mutating func commit(at time: ContinuousClock.Instant) {
        committed.append(time)
    }

    /// How long each event took from its commit until it was seen, in milliseconds, from the shortest on. A sighting of
    /// more than were committed counts for those that were.
    package func latencies_ms(_ sightings: [(count: Int, time: ContinuousClock.Instant)]) -> [Double] {
        var latencies: [Double] = []
        var next = 0
        for (count, time) in sightings {
            while next < min(count, committed.count * batch) {
                latencies.append((time - committed[next / batch]) / .milliseconds(1))
                next += 1
            }
        }
        return latencies.sorted()
    }
}
