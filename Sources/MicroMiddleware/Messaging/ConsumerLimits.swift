/// How much a consumer of events takes at a time.
///
/// A queue of ours is read by one process at a time, one batch after the other, since its order matters: the size of a
/// batch is what a second reader would be elsewhere.
package struct ConsumerLimits: Sendable, Hashable {
    /// How many events may wait unsettled in the process, 1 to 10,000.
    package var prefetch: Int
    /// The most that the handler gets at once, 1 to 1,000; never more than `prefetch`.
    package var batchSize: Int

    package init(prefetch: Int = 2_000, batchSize: Int = 500) {
        self.prefetch = prefetch
        self.batchSize = min(batchSize, prefetch)
    }

    /// - Throws: ``ConfigurationError`` for a malformed value.
    package init(settings: ServiceSettings) throws {
        self.init(prefetch: try settings.value(.messagingPrefetch), batchSize: try settings.value(.messagingBatchSize))
    }
}

extension ConfigurationKey<Int> {
    package static let messagingPrefetch = int(
        "messaging.prefetch", default: 2_000, in: 1...10_000,
        "How many events a consumer may hold unsettled; all of them are delivered again when it dies.")
    package static let messagingBatchSize = int(
        "messaging.batch_size", default: 500, in: 1...1_000,
        "The most events that are stored in one transaction; never more than messaging.prefetch.")
}
