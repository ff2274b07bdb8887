package import ConnectionKit
internal import Contracts
internal import Synchronization

/// Of all that ask for the same key at the same time in this process, one does the work and the others get its result.
package final class SingleFlight<Value: Sendable>: Sendable {
    private typealias Slot = ReplySlot<Value, any Error>

    /// Why a caller has to see for itself.
    private enum Left: Error {
        /// Whoever did the work was cancelled or ran out of time: theirs, not ours.
        case byLeader
    }

    private let flights = Mutex<[String: [Slot]]>([:])

    package init() {}

    /// How many different keys are being worked on.
    package var count: Int { flights.withLock { $0.count } }

    /// - Throws: what `work` throws, also to those who only waited for it; ``SingleFlightTimeout`` to who waited until the
    ///   deadline.
    package func run(
        _ key: String, deadline: Deadline, _ work: () async throws -> Value
    ) async throws -> Value {
        guard let slot = board(key) else { return try await lead(key, work) }
        let result = await withTaskCancellationHandler {
            await slot.value(until: deadline) { SingleFlightTimeout() }
        } onCancel: {
            slot.resolve(.failure(CancellationError()))
        }
        do {
            return try result.get()
        } catch Left.byLeader {
            return try await work()
        }
    }

    /// A place to wait at; `nil` for the first, who does the work.
    private func board(_ key: String) -> Slot? {
        flights.withLock { flights in
            guard flights[key] != nil else {
                flights[key] = []
                return nil
            }
            let slot = Slot()
            flights[key]?.append(slot)
            return slot
        }
    }

    private func lead(_ key: String, _ work: () async throws -> Value) async throws -> Value {
        do {
            let value = try await work()
            land(key, .success(value))
            return value
        } catch {
            land(key, .failure(Self.isOwn(error) ? Left.byLeader : error))
            throw error
        }
    }

    private func land(_ key: String, _ result: Result<Value, any Error>) {
        let waiting = flights.withLock { $0.removeValue(forKey: key) } ?? []
        for slot in waiting { slot.resolve(result) }
    }

    private static func isOwn(_ error: any Error) -> Bool {
        Task.isCancelled || error is CancellationError
    }
}

/// Somebody else was asking for the same, and had no answer in time.
package struct SingleFlightTimeout: APIErrorConvertible {
    package var apiError: APIError { APIError(.dependencyUnavailable) }
}
