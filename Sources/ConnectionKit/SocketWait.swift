#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Waits for a socket, a deadline and a doorbell at once, on the calling thread.
///
/// To be called from an actor on a `ThreadExecutor` only: it blocks.
public struct SocketWait: Sendable {
    /// What to wait for on the socket.
    public struct Interest: OptionSet, Sendable {
        public let rawValue: Int16
        public init(rawValue: Int16) { self.rawValue = rawValue }

        public static let readable = Interest(rawValue: Int16(POLLIN))
        public static let writable = Interest(rawValue: Int16(POLLOUT))
    }

    /// Why the wait ended.
    public enum Outcome: Equatable, Sendable {
        /// The socket is ready for some of what was asked; an error or a hang-up counts as both, since the next read or
        /// write reports it.
        case ready(Interest)
        /// Somebody rang; the bell has been silenced.
        case doorbell
        /// The deadline passed.
        case timedOut
    }

    public let doorbell: Doorbell

    public init(doorbell: Doorbell) {
        self.doorbell = doorbell
    }

    /// Blocks until the socket is ready, somebody rings, or the deadline passes. A ring wins over a ready socket.
    ///
    /// - Parameter socket: the descriptor, or -1 to wait for the doorbell and the deadline alone.
    /// - Throws: `SystemFailure` when `poll(2)` fails for another reason than a signal.
    public func wait(
        for interest: Interest, on socket: CInt, until deadline: Deadline
    ) throws(SystemFailure) -> Outcome {
        while true {
            var descriptors = [
                pollfd(fd: doorbell.readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: socket, events: interest.rawValue, revents: 0),
            ]
            let count = poll(&descriptors, 2, deadline.remainingMilliseconds)
            if count < 0 {
                guard errno == EINTR else { throw SystemFailure(call: "poll", code: errno) }
                continue
            }
            if descriptors[0].revents != 0 {
                doorbell.silence()
                return .doorbell
            }
            let events = descriptors[1].revents
            if events != 0 {
                let failed = events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
                return .ready(failed ? [.readable, .writable] : Interest(rawValue: events))
            }
            if deadline.hasPassed { return .timedOut }
        }
    }
}
