import CLibPQ
import ConnectionKit
import Foundation
import Synchronization

extension PostgresLink {
    /// Connects to the first endpoint that accepts; each may take `connectTimeout`.
    func connect() throws(PostgresError) {
        var failure = PostgresError(.unavailable, detail: "no endpoint is configured")
        for endpoint in configuration.endpoints {
            do throws(PostgresError) {
                return try connect(to: endpoint, deadline: .after(configuration.connectTimeout))
            } catch {
                finish()
                if error.kind == .cancelled { throw error }
                failure = PostgresError(.unavailable, detail: error.detail)
            }
        }
        throw failure
    }

    private func connect(to endpoint: PostgresEndpoint, deadline: Deadline) throws(PostgresError) {
        let options = configuration.connectionOptions(endpoint)
        guard let native = Self.start(options) else {
            throw PostgresError(.unavailable, detail: "out of memory")
        }
        handle.adopt(native)
        PQsetNoticeReceiver(native, { _, _ in }, nil)
        var status = PQstatus(native) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            guard status != PGRES_POLLING_FAILED else {
                throw PostgresError(.unavailable, detail: Self.message(native))
            }
            do throws(PostgresError) {
                _ = try wait(for: status == PGRES_POLLING_READING ? .readable : .writable, native, until: deadline)
            } catch {
                guard error.kind == .deadlineExceeded else { throw error }
                throw PostgresError(
                    .unavailable, detail: "\(endpoint.host):\(endpoint.port) did not answer within the connect timeout")
            }
            status = PQconnectPoll(native)
        }
        guard PQsetnonblocking(native, 1) == 0 else {
            throw PostgresError(.unavailable, detail: Self.message(native))
        }
        socket.store(PQsocket(native), ordering: .releasing)
        settle()
    }

    private static func start(_ options: [(String, String)]) -> OpaquePointer? {
        let copies = options.flatMap { [strdup($0.0), strdup($0.1)] }
        defer { copies.forEach { free($0) } }
        var keywords = stride(from: 0, to: copies.count, by: 2).map { UnsafePointer<CChar>(copies[$0]) }
        var values = stride(from: 1, to: copies.count, by: 2).map { UnsafePointer<CChar>(copies[$0]) }
        keywords.append(nil)
        values.append(nil)
        return PQconnectStartParams(keywords, values, 0)
    }

    static func message(_ native: OpaquePointer) -> String {
        guard let message = PQerrorMessage(native) else { return "" }
        return String(cString: message).split(separator: "\n").joined(separator: "; ")
    }

    /// Whether nothing has arrived on a connection that was idle. What arrives there is as good as always the server's
    /// farewell or the end of the connection; the rare innocent message costs one connection, and nobody a failed query.
    nonisolated var isQuiet: Bool {
        var descriptor = pollfd(fd: socket.load(ordering: .acquiring), events: Int16(POLLIN), revents: 0)
        return descriptor.fd >= 0 && poll(&descriptor, 1, 0) == 0
    }
}

extension PostgresConfiguration {
    /// libpq's keywords and values. Whatever would otherwise come from the environment is set.
    fileprivate func connectionOptions(_ endpoint: PostgresEndpoint) -> [(String, String)] {
        var options = [
            ("host", endpoint.host), ("port", String(endpoint.port)), ("dbname", database), ("user", user),
            ("application_name", applicationName), ("client_encoding", "UTF8"), ("gssencmode", "disable"),
            ("target_session_attrs", endpoints.count > 1 ? "read-write" : "any"),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "10000"), ("passfile", "/dev/null/none"),
            ("options", serverSettings),
        ]
        if let password { options.append(("password", password)) }
        switch tls {
        case .disable: options.append(("sslmode", "disable"))
        case .prefer: options.append(("sslmode", "prefer"))
        case .require: options.append(("sslmode", "require"))
        case .verifyFull(let path): options += [("sslmode", "verify-full"), ("sslrootcert", path)]
        }
        if let clientCertificate {
            options += [("sslcert", clientCertificate.certificatePath), ("sslkey", clientCertificate.keyPath)]
        }
        return options
    }

    /// The server's own nets, should this process stall or vanish: it ends what runs or idles too long, and notices within
    /// a second that a client whose statement still runs is gone.
    private var serverSettings: String {
        [
            "-c statement_timeout=\(statementTimeout.milliseconds)",
            "-c idle_in_transaction_session_timeout=\(idleInTransactionTimeout.milliseconds)",
            "-c client_connection_check_interval=1000",
            "-c DateStyle=ISO -c IntervalStyle=iso_8601 -c TimeZone=UTC",
        ].joined(separator: " ")
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    }
}
