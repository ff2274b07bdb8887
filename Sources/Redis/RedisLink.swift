import CHiredis
import ConnectionKit
import Foundation

/// One hiredis context: owned by its connection actor and never handed out.
final class RedisLink {
    private let context: UnsafeMutablePointer<redisContext>
    private let server: String

    /// Begins to connect, without waiting.
    init(_ configuration: RedisConfiguration) throws(RedisError) {
        server = configuration.description
        guard let context = redisConnectNonBlock(configuration.host, CInt(configuration.port)) else {
            throw RedisError(.unavailable(outcomeUnknown: false), "no memory for a connection to \(configuration)")
        }
        self.context = context
        guard context.pointee.err == 0 else { throw failure() }
        redisEnableKeepAlive(context)
    }

    deinit {
        redisFree(context)
    }

    var socket: CInt { context.pointee.fd }

    /// The outcome of a connect that made the socket writable.
    func finishConnecting() throws(RedisError) {
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code == 0 else {
            let reason = String(cString: strerror(code == 0 ? errno : code))
            throw RedisError(.unavailable(outcomeUnknown: false), "cannot connect to \(server): \(reason)")
        }
    }

    /// Adds a command to what is to be written.
    func append(_ command: [RedisArgument]) throws(RedisError) {
        let sizes = command.map(\.bytes.count)
        let whole = command.flatMap(\.bytes)
        let status = whole.withUnsafeBufferPointer { bytes in
            // An empty buffer has no base address; hiredis never reads the zero bytes there.
            let start = UnsafeRawPointer(bytes.baseAddress ?? UnsafePointer(bitPattern: 1))?
                .assumingMemoryBound(to: CChar.self)
            var offset = 0
            var words: [UnsafePointer<CChar>?] = []
            for size in sizes {
                words.append(start?.advanced(by: offset))
                offset += size
            }
            return redisAppendCommandArgv(context, CInt(command.count), &words, sizes)
        }
        guard status == REDIS_OK else { throw failure() }
    }

    /// Writes what the socket takes.
    ///
    /// - Returns: whether all is written.
    func flush() throws(RedisError) -> Bool {
        var done: CInt = 0
        guard redisBufferWrite(context, &done) == REDIS_OK else { throw failure() }
        return done != 0
    }

    /// Reads what the socket has into hiredis's buffer.
    func read() throws(RedisError) {
        guard redisBufferRead(context) == REDIS_OK else { throw failure() }
    }

    /// The next whole answer in the buffer.
    func nextReply() throws(RedisError) -> Result<RedisValue, RedisError>? {
        var pointer: UnsafeMutableRawPointer?
        guard redisGetReplyFromReader(context, &pointer) == REDIS_OK else { throw failure() }
        guard let pointer else { return nil }
        defer { freeReplyObject(pointer) }
        let reply = pointer.assumingMemoryBound(to: redisReply.self).pointee
        if reply.type == REDIS_REPLY_ERROR { return .failure(.server(reply.text)) }
        return .success(RedisValue(reply))
    }

    private func failure() -> RedisError {
        let reason = withUnsafeBytes(of: context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return RedisError(.unavailable(outcomeUnknown: true), "\(server): \(reason)")
    }
}

extension RedisError {
    /// An error that the server answered. Its message may quote the command, so the description keeps to the code.
    static func server(_ message: String) -> RedisError {
        let code = String(message.prefix { $0 != " " })
        return RedisError(.server(code: code, message: message), "Redis refused the command: \(code)")
    }
}

extension redisReply {
    fileprivate var text: String {
        String(decoding: UnsafeRawBufferPointer(start: str, count: len), as: UTF8.self)
    }
}

extension RedisValue {
    fileprivate init(_ reply: redisReply) {
        switch reply.type {
        case REDIS_REPLY_INTEGER: self = .integer(Int(reply.integer))
        case REDIS_REPLY_STATUS: self = .status(reply.text)
        case REDIS_REPLY_ERROR: self = .error(reply.text)
        case REDIS_REPLY_STRING: self = .bytes(Array(UnsafeRawBufferPointer(start: reply.str, count: reply.len)))
        case REDIS_REPLY_ARRAY:
            self = .array(
                UnsafeBufferPointer(start: reply.element, count: reply.elements).map { element in
                    element.map { RedisValue($0.pointee) } ?? .null
                })
        default: self = .null
        }
    }
}
