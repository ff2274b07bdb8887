import Foundation
import Synchronization

/// The receiving end of one SMTP dialogue over a Unix socket that nobody else may open, as much of RFC 5321 as a client needs to hand over one mail.
final class SMTPSink: Sendable {
    /// The largest mail that it takes.
    static let maximumBytes = 4 * 1_024 * 1_024

    /// Where it listens.
    let path: String
    /// Open until the thread has accepted a connection. After that its number is somebody else's, and none of ours to touch.
    private let listener: Mutex<Int32?>
    /// Stores the mail; when it throws, the client is told that it was not taken.
    private let store: @Sendable ([UInt8]) throws -> Void

    init(store: @escaping @Sendable ([UInt8]) throws -> Void) throws(MailError) {
        self.store = store
        path = "\(NSTemporaryDirectory())authms-mail-\(UUID().uuidString.prefix(13)).sock"
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = Mutex(listener)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isShortEnough = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // Nobody can connect before it listens, and then only its owner.
        guard listener >= 0, isShortEnough, bound == 0, chmod(path, 0o600) == 0, listen(listener, 1) == 0 else {
            let reason = String(cString: strerror(errno))
            if listener >= 0 { close(listener) }
            throw MailError(.unavailable, "no socket for mails at \(path): \(reason)")
        }
    }

    /// Serves the dialogue on a thread that ends with it, or with ``stop()``.
    func start() {
        let thread = Thread { [self] in
            // Nobody else closes it, so it is still ours while this waits.
            guard let waiting = listener.withLock(\.self) else { return }
            let socket = accept(waiting, nil, nil)
            listener.withLock {
                close(waiting)
                $0 = nil
            }
            guard socket >= 0 else { return }
            run(socket)
            close(socket)
        }
        thread.name = "mail-sink"
        thread.stackSize = 512 * 1_024
        thread.start()
    }

    /// Takes no more connections. Call it once.
    func stop() {
        unlink(path)
        // Wakes the thread where nobody has connected; the thread closes.
        listener.withLock { if let listener = $0 { _ = shutdown(listener, Int32(SHUT_RDWR)) } }
    }

    private func run(_ socket: Int32) {
        func say(_ lines: String...) {
            let bytes = Array(lines.map { $0 + "\r\n" }.joined().utf8)
            _ = Foundation.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
        say("220 files")
        var input = LineReader(socket: socket)
        while let line = input.next() {
            switch line.prefix(4).uppercased() {
            case "EHLO": say("250-files", "250-8BITMIME", "250 SMTPUTF8")
            case "DATA":
                say("354 go on")
                guard let bytes = readMessage(&input) else { return }
                do {
                    try store(bytes)
                    say("250 kept")
                } catch {
                    say("452 cannot be kept")
                }
            case "QUIT": return say("221 bye")
            default: say("250 fine")
            }
        }
    }

    /// Everything up to the lone dot, with the dots that were doubled (section 4.5.2) halved.
    private func readMessage(_ input: inout LineReader) -> [UInt8]? {
        var bytes: [UInt8] = []
        while let line = input.nextBytes() {
            if line == [UInt8(ascii: ".")] { return bytes }
            bytes += line.first == UInt8(ascii: ".") ? line.dropFirst() : line[...]
            bytes += [13, 10]
            guard bytes.count <= Self.maximumBytes else { return nil }
        }
        return nil
    }

}

/// Lines that end in CR LF, from a socket.
private struct LineReader {
    let socket: Int32
    private var buffer: [UInt8] = []
    private var start = 0

    init(socket: Int32) {
        self.socket = socket
    }

    mutating func next() -> String? {
        nextBytes().map { String(decoding: $0, as: UTF8.self) }
    }

    /// The next line without its end; `nil` at the end of the stream.
    mutating func nextBytes() -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 10) {
                let line = buffer[start..<end]
                start = end + 1
                return Array(line.last == 13 ? line.dropLast() : line)
            }
            searched = buffer.count
            if start > 0 {
                searched -= start
                buffer.removeFirst(start)
                start = 0
            }
            var chunk = [UInt8](repeating: 0, count: 16_384)
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0, buffer.count < SMTPSink.maximumBytes else { return nil }
            buffer += chunk[..<count]
        }
    }
}
