import CRabbitMQ
import ConnectionKit
import Foundation

/// One rabbitmq-c connection with one channel: owned by one actor and never handed out.
///
/// Every call may block its thread, but none longer than the configuration's timeouts.
final class AMQPLink {
    static let channel: amqp_channel_t = 1

    let state: amqp_connection_state_t
    let configuration: RabbitMQConfiguration
    let scratch = AMQPScratch()
    /// Content of which only a part has arrived.
    var partial: PartialContent?
    private var isOpen = false

    /// Connects, logs in and opens the channel.
    init(_ configuration: RabbitMQConfiguration, deadline: Deadline) throws(RabbitMQError) {
        guard let state = amqp_new_connection() else {
            throw RabbitMQError(.unavailable, "no memory for a connection to \(configuration)")
        }
        self.state = state
        self.configuration = configuration
        let deadline = deadline.capped(at: configuration.connectTimeout)
        try openSocket(deadline)
        try logIn(deadline)
        isOpen = true
        limitRequests(deadline)
        _ = amqp_channel_open(state, Self.channel)
        try checkReply("channel.open")
    }

    deinit {
        amqp_destroy_connection(state)
    }

    var socket: CInt { amqp_get_sockfd(state) }

    /// How often the library must be called, so that it sends heartbeats in time.
    var tick: Duration { max(.milliseconds(250), configuration.heartbeat / 4) }

    /// Says good-bye where the connection still stands. Within a second.
    func close() {
        guard isOpen else { return }
        isOpen = false
        limitRequests(.after(.seconds(1)))
        _ = amqp_connection_close(state, AMQP_REPLY_SUCCESS)
    }

    /// Gives the requests that follow this long to be answered.
    func limitRequests(_ deadline: Deadline) {
        var timeout = timeval(max(deadline.remaining, .milliseconds(1)))
        amqp_set_rpc_timeout(state, &timeout)
    }
}

// MARK: - Connecting

extension AMQPLink {
    private func openSocket(_ deadline: Deadline) throws(RabbitMQError) {
        let socket: OpaquePointer?
        if let tls = configuration.tls {
            socket = amqp_ssl_socket_new(state)
            try apply(tls, to: socket)
        } else {
            socket = amqp_tcp_socket_new(state)
        }
        guard let socket else { throw RabbitMQError(.unavailable, "no memory for a connection to \(configuration)") }
        var timeout = timeval(max(deadline.remaining, .milliseconds(1)))
        let status = amqp_socket_open_noblock(socket, configuration.host, CInt(configuration.port), &timeout)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw failure(status, whenLost: .unavailable, "cannot connect to \(configuration)")
        }
        // A peer that vanished without a word is noticed although data of ours waits for its acknowledgement.
        var milliseconds: CUnsignedInt = 15_000
        setsockopt(
            self.socket, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds,
            socklen_t(MemoryLayout<CUnsignedInt>.size))
    }

    private func apply(_ tls: RabbitMQConfiguration.TLS, to socket: OpaquePointer?) throws(RabbitMQError) {
        amqp_ssl_socket_set_verify_peer(socket, tls.verifies ? 1 : 0)
        amqp_ssl_socket_set_verify_hostname(socket, tls.verifies ? 1 : 0)
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
        // The library trusts nobody until it is told whom: by default whom Debian's ca-certificates lists.
        let authorities = tls.rootCertificatePath ?? "/etc/ssl/certs/ca-certificates.crt"
        if tls.verifies || tls.rootCertificatePath != nil {
            guard amqp_ssl_socket_set_cacert(socket, authorities) == AMQP_STATUS_OK.rawValue else {
                throw RabbitMQError(.tls, "cannot read the authorities' certificates in \(authorities)")
            }
        }
        if let certificate = tls.clientCertificatePath, let key = tls.clientKeyPath {
            guard amqp_ssl_socket_set_key(socket, certificate, key) == AMQP_STATUS_OK.rawValue else {
                throw RabbitMQError(.tls, "cannot read the client certificate \(certificate) with its key")
            }
        }
    }

    private func logIn(_ deadline: Deadline) throws(RabbitMQError) {
        var timeout = timeval(max(deadline.remaining, .milliseconds(1)))
        amqp_set_handshake_timeout(state, &timeout)
        amqp_set_rpc_timeout(state, &timeout)
        var properties = scratch.table([
            "connection_name": .string(configuration.connectionName),
            "capabilities": [
                "connection.blocked": true, "consumer_cancel_notify": true, "publisher_confirms": true,
                "basic.nack": true, "authentication_failure_close": true,
            ],
        ])
        let heartbeat = CInt(clamping: max(1, configuration.heartbeat.components.seconds))
        let reply = amqp_login_plain(
            state, configuration.virtualHost, heartbeat, &properties, configuration.user, configuration.password)
        scratch.recycle()
        try check(reply, "login", whenLost: .unavailable)
    }
}

// MARK: - Errors

extension AMQPLink {
    /// The outcome of the last request, for the calls that return it this way.
    func checkReply(_ request: String) throws(RabbitMQError) {
        defer { scratch.recycle() }
        try check(amqp_get_rpc_reply(state), request)
    }

    func check(
        _ reply: amqp_rpc_reply_t, _ request: String, whenLost lost: RabbitMQError.Kind = .connectionLost
    ) throws(RabbitMQError) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION: throw refusal(reply.reply, request)
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
            throw failure(reply.library_error, whenLost: lost, "\(configuration): \(request)")
        default: throw RabbitMQError(lost, "\(configuration): \(request): the broker closed the connection")
        }
    }

    /// An error status of the library.
    func check(_ status: CInt, _ request: String) throws(RabbitMQError) {
        guard status != AMQP_STATUS_OK.rawValue else { return }
        throw failure(status, whenLost: .connectionLost, "\(configuration): \(request)")
    }

    /// The broker's `channel.close` or `connection.close`, as an error.
    func refusal(_ method: amqp_method_t, _ request: String) -> RabbitMQError {
        isOpen = method.id == AMQP_CHANNEL_CLOSE_METHOD
        let code: UInt16
        let text: String
        if method.id == AMQP_CHANNEL_CLOSE_METHOD, let decoded = method.decoded {
            let close = decoded.load(as: amqp_channel_close_t.self)
            (code, text) = (close.reply_code, String(close.reply_text))
        } else if method.id == AMQP_CONNECTION_CLOSE_METHOD, let decoded = method.decoded {
            let close = decoded.load(as: amqp_connection_close_t.self)
            (code, text) = (close.reply_code, String(close.reply_text))
        } else {
            return RabbitMQError(.protocolViolation, "\(configuration): \(request): unexpected method \(method.id)")
        }
        let kind: RabbitMQError.Kind =
            switch code {
            case 403: .accessRefused
            case 404: .notFound
            case 405, 406: .preconditionFailed
            default: .server(code: Int(code))
            }
        return RabbitMQError(kind, "\(configuration): \(request): \(text)")
    }

    func failure(_ status: CInt, whenLost lost: RabbitMQError.Kind, _ what: String) -> RabbitMQError {
        let reason = amqp_error_string2(status).map { String(cString: $0) } ?? "status \(status)"
        isOpen = false
        let kind: RabbitMQError.Kind =
            switch amqp_status_enum(status) {
            case AMQP_STATUS_TIMEOUT: .deadlineExceeded
            case AMQP_STATUS_SSL_ERROR, AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, AMQP_STATUS_SSL_PEER_VERIFY_FAILED,
                AMQP_STATUS_SSL_CONNECTION_FAILED:
                .tls
            case AMQP_STATUS_BAD_AMQP_DATA, AMQP_STATUS_UNKNOWN_CLASS, AMQP_STATUS_UNKNOWN_METHOD,
                AMQP_STATUS_UNEXPECTED_STATE, AMQP_STATUS_WRONG_METHOD:
                .protocolViolation
            default: lost
            }
        return RabbitMQError(kind, "\(what): \(reason)")
    }
}

extension AMQPValue: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, AMQPValue)...) {
        self = .table(Dictionary(elements) { first, _ in first })
    }
}

extension timeval {
    fileprivate init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
