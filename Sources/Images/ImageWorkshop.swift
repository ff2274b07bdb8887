package import ConnectionKit
import Synchronization

/// Reads pictures and writes them anew, so that nothing but their pixels is left: no place, no camera, no thumbnail, no
/// second file behind the first.
///
/// The libraries work on threads of their own, one picture a thread; what would be one picture too many is refused at once.
package final class ImageWorkshop: Sendable {
    private let workers: [Worker]
    private let waitingLimit: Int
    private let state = Mutex((inside: 0, next: 0))

    /// - Parameters:
    ///   - threads: how many pictures are worked on at a time, each with up to eight bytes of memory a pixel.
    ///   - queueLimit: how many more may wait.
    package init(threads: Int = 2, queueLimit: Int = 8) {
        precondition(threads > 0 && queueLimit >= 0, "a workshop needs a thread")
        workers = (1...threads).map { Worker(name: "image-\($0)") }
        waitingLimit = threads + queueLimit
    }

    /// The picture without anything but its pixels, in the format that it came in.
    /// - Throws: ``ImageError``
    package func clean(
        _ content: [UInt8], limits: ImageLimits = ImageLimits(), deadline: Deadline
    ) async throws(ImageError) -> CleanImage {
        guard let format = ImageFormat(content: content) else { throw .unknownFormat }
        let worker = state.withLock { state -> Worker? in
            guard state.inside < waitingLimit else { return nil }
            state.inside += 1
            state.next = (state.next + 1) % workers.count
            return workers[state.next]
        }
        guard let worker else { throw .overloaded }
        defer { state.withLock { $0.inside -= 1 } }
        return try await worker.clean(content, format, limits, deadline)
    }
}

/// One thread.
private actor Worker {
    private nonisolated let executor: ThreadExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(name: String) {
        executor = ThreadExecutor(name: name)
    }

    func clean(
        _ content: [UInt8], _ format: ImageFormat, _ limits: ImageLimits, _ deadline: Deadline
    ) throws(ImageError) -> CleanImage {
        guard !deadline.hasPassed, !Task.isCancelled else { throw .deadlineExceeded }
        return switch format {
        case .png: try PNGCodec.reencode(content, limits: limits)
        case .jpeg: try JPEGCodec.reencode(content, limits: limits)
        case .webp: try WebPCodec.reencode(content, limits: limits)
        }
    }
}
