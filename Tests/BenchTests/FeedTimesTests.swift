import Bench
import Testing

@Suite("How long the events of a feed took")
struct FeedTimesTests {
    private let start = ContinuousClock.now

    private var feed: FeedTimes {
        var feed = FeedTimes(batch: 2)
        for batch in 0..<3 { feed.commit(at: start + .milliseconds(10 * batch)) }
        return feed
    }

    @Test("Each is counted from its own batch's commit to the first time that it was seen")
    func each() {
        let sightings = [(1, start + .milliseconds(5)), (4, start + .milliseconds(15)), (6, start + .milliseconds(50))]
        #expect(feed.latencies_ms(sightings.map { (count: $0.0, time: $0.1) }) == [5, 5, 5, 15, 30, 30])
    }

    @Test("A record more than was fed, of the trail's own, is no event of the feed")
    func more() {
        let sightings = [(count: 7, time: start + .milliseconds(50))]
        #expect(feed.latencies_ms(sightings) == [30, 30, 40, 40, 50, 50])
    }
}
