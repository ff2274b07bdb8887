import ConnectionKit

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A TCP client on the kernel's own calls, on a thread of its own since it blocks.
///
/// What it reports is what the kernel said: an event loop between the two may see a reset first while it still connects, or
/// while it writes, and call it by another name.
actor PlainClient {
    /// What became of the connection, or of something said over it.
    enum Outcome: Equatable {
        case connected
        case answered(String)
        /// Nobody listens.
        case refused
        /// RST.
        case reset
        /// FIN.
        case closed
        /// Nothing came for as long as one was ready to wait.
        case silent
        /// Another error of the system's.
        case failed(Int32)
    }

    /// How long to wait for what will come: much longer than it takes on the busiest machine.
    static let patience = Duration.seconds(10)

    private let executor = ThreadExecutor(name: "plain-client")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)

    deinit { close(descriptor) }

    /// A client of a port on 127.0.0.1 for which connecting has ended with `.connected`, or as told.
    static func connect(to port: Int) async -> (client: PlainClient, outcome: Outcome) {
        let client = PlainClient()
        return (client, await client.connect(to: port))
    }

    private func connect(to port: Int) -> Outcome {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                systemConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return result == 0 ? .connected : failure()
    }

    /// Says something and waits for an answer of the same length.
    func ask(_ line: String, for patience: Duration = PlainClient.patience) -> Outcome {
        let sent = send(descriptor, line, line.utf8.count, Int32(MSG_NOSIGNAL))
        return sent < 0 ? failure() : read(line.utf8.count, for: patience)
    }

    /// Says that nothing more will be said.
    func end() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// The next `count` bytes.
    func read(_ count: Int, for patience: Duration = PlainClient.patience) -> Outcome {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        setPatience(patience)
        while bytes.count < count {
            let got = recv(descriptor, &buffer, min(buffer.count, count - bytes.count), 0)
            guard got != 0 else { return .closed }
            guard got > 0 else {
                if errno == EINTR { continue }
                return failure()
            }
            bytes += buffer[..<got]
        }
        return .answered(String(decoding: bytes, as: UTF8.self))
    }

    private func setPatience(_ patience: Duration) {
        var time = timeval()
        time.tv_sec = Int(patience.components.seconds)
        time.tv_usec = .init(patience.components.attoseconds / 1_000_000_000_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    private func failure() -> Outcome {
        switch errno {
        case ECONNREFUSED: .refused
        case ECONNRESET: .reset
        case EAGAIN: .silent
        case let other: .failed(other)
        }
    }

    private func systemConnect(
        _ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t
    ) -> Int32 {
        #if canImport(Glibc)
            Glibc.connect(descriptor, address, size)
        #else
            Darwin.connect(descriptor, address, size)
        #endif
    }
}
