package import ConnectionKit

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Asks a server on the loopback interface whether it answers: connects, says what the protocol begins with, and looks
/// at the first bytes that come back. Runs on a thread of its own, for it blocks.
package actor Probe {
    /// What to say to a server and what it must answer.
    package struct Question: Sendable {
        let words: [UInt8]
        let accepts: @Sendable ([UInt8]) -> Bool

        /// PostgreSQL answers a start-up message with a request to authenticate once it accepts connections, and with an
        /// error while it recovers or stops.
        package static let postgres: Question = {
            let parameters = Array("user\0postgres\0database\0postgres\0\0".utf8)
            let message = [0, 0, 0, UInt8(8 + parameters.count), 0, 3, 0, 0] + parameters
            return Question(words: message) { $0.first == UInt8(ascii: "R") }
        }()

        /// PostgreSQL answers a request for TLS with `S` where it has a certificate.
        package static let postgresTLS = Question(words: [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]) { answer in
            answer.first == UInt8(ascii: "S")
        }

        /// RabbitMQ answers the protocol header with `Connection.Start`, a method frame (type 1).
        package static let rabbitMQ = Question(words: Array("AMQP".utf8) + [0, 0, 9, 1]) { $0.first == 1 }

        /// Redis answers PING with PONG, or asks for the password first: either way it has loaded its data.
        package static let redis = Question(words: Array("PING\r\n".utf8)) { answer in
            answer.starts(with: Array("+PONG".utf8)) || answer.starts(with: Array("-NOAUTH".utf8))
        }

        /// epmd closes a connection that asks it for nothing it knows; to accept it is answer enough.
        package static let connects = Question(words: []) { _ in true }

        /// An HTTP server answers 200.
        package static func http(path: String) -> Question {
            let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
            return Question(words: Array(request.utf8)) { $0.starts(with: Array("HTTP/1.1 200".utf8)) }
        }
    }

    private let executor = ThreadExecutor(name: "probe")

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init() {}

    /// Whether the server answers as it should before the deadline.
    package func answers(_ question: Question, port: Int, deadline: Deadline) -> Bool {
        firstBytes(of: question, port: port, deadline: deadline).map(question.accepts) ?? false
    }

    /// The first bytes (at most 4 KiB) of the answer; nil when there is none before the deadline.
    package func firstBytes(of question: Question, port: Int, deadline: Deadline) -> [UInt8]? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0, let doorbell = try? Doorbell() else { return nil }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let wait = SocketWait(doorbell: doorbell)
        guard connect(descriptor, port: port, wait: wait, deadline: deadline) else { return nil }
        guard !question.words.isEmpty else { return [] }
        guard send(descriptor, question.words, question.words.count, Int32(MSG_NOSIGNAL)) > 0,
            (try? wait.wait(for: .readable, on: descriptor, until: deadline)) == .ready(.readable)
        else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }

    private func connect(_ descriptor: Int32, port: Int, wait: SocketWait, deadline: Deadline) -> Bool {
        var address = Ports.loopback(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Self.systemConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return true }
        guard errno == EINPROGRESS,
            case .ready = (try? wait.wait(for: .writable, on: descriptor, until: deadline)) ?? .timedOut
        else { return false }
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
        return failure == 0
    }

    private static func systemConnect(
        _ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t
    ) -> Int32 {
        #if canImport(Glibc)
            Glibc.connect(descriptor, address, size)
        #else
            Darwin.connect(descriptor, address, size)
        #endif
    }
}
