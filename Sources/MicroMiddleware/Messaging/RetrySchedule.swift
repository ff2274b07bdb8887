import Contracts
package import RabbitMQ

/// How long an event that could not be handled waits before it is tried again, time after time; then it is a dead letter.
///
/// It waits in a queue of the broker's, one for each delay, from which it expires back into the queue that it came from:
/// a restart forgets nothing, and no process keeps time.
package struct RetrySchedule: Sendable, Equatable {
    /// In the order in which they are waited.
    package let delays: [Duration]

    /// 10 seconds, 1 minute, 10 minutes.
    package static let standard = RetrySchedule([.seconds(10), .seconds(60), .seconds(600)])

    package init(_ delays: [Duration]) {
        self.delays = delays
    }

    /// The queue in which events of `queue` wait for `delay`. The delay is in the name, since a queue's cannot be changed.
    package static func queue(of queue: String, after delay: Duration) -> String {
        "\(queue).retry.\(DurationText.render(delay))"
    }

    /// The queues of the schedule for the consumer of `queue`. At-least-once, so that the way back loses nothing either.
    package func queues(of queue: String) -> [Topology.Queue] {
        delays.map { delay in
            .quorum(
                Self.queue(of: queue, after: delay),
                arguments: [
                    "x-message-ttl": .int(Int64(delay / .milliseconds(1))), "x-overflow": "reject-publish",
                    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(queue),
                    "x-dead-letter-strategy": "at-least-once",
                ])
        }
    }
}

extension ConfigurationKey<RetrySchedule> {
    package static let retryDelays = ConfigurationKey(
        "messaging.retry_delays", type: "durations from 1s to 1d separated by commas, or none", default: .standard,
        "How long an event that cannot be handled is put aside before each further try; then it is a dead letter.",
        render: { $0.delays.map { DurationText.render($0) }.joined(separator: ",") },
        parse: { text in
            guard text != "none" else { return RetrySchedule([]) }
            let delays = text.split(separator: ",").map { DurationText.parse(trimmed($0)) }
            let range = Duration.seconds(1) ... .seconds(86_400)
            guard !delays.isEmpty, delays.count <= 10, delays.allSatisfy({ $0.map(range.contains) ?? false })
            else { return nil }
            return RetrySchedule(delays.compactMap(\.self))
        })
}
