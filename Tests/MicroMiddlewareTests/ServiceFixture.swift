import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MicroMiddleware
import Synchronization
import Testing

/// The example service, asked without a socket.
struct ServiceFixture {
    static let user = UUID()
    static let tenant = UUID()

    let wallets = WalletStore()
    let lines = CapturedLines()
    let metrics = MetricsRegistry()

    func application(
        settings: ServiceSettings = .fixed(), onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws -> ServiceApplication {
        let lines = lines
        return try buildWalletService(
            settings: settings,
            telemetry: Telemetry(service: "wallet", metrics: metrics, sink: LogSink { lines.append($0) }),
            verify: Self.verify, verifyService: Self.verifyService, wallets: wallets, onListening: onListening)
    }

    func ask<Value>(_ body: @Sendable (any TestClientProtocol) async throws -> Value) async throws -> Value {
        try await Application(responder: try application().responder, logger: Telemetry.silent().logger)
            .test(.router, body)
    }

    /// Accepts `good`, `due` (a password change is due) and `owner`.
    static let verify: AuthenticationMiddleware.Verify = { token in
        guard ["good", "due", "owner"].contains(token) else { throw APIError(.tokenInvalid) }
        return AccessTokenClaims(
            issuer: "https://authms.local", audience: "authms", subject: user, tenantID: tenant,
            roles: token == "owner" ? ["owner"] : ["member"], sessionID: UUID(), tokenID: UUID(), issuedAt: .now,
            expiresAt: .now.addingTimeInterval(60), authenticatedAt: .now, methods: ["pwd"],
            mustChangePassword: token == "due")
    }

    static let verifyService: InternalCredentialMiddleware.Verify = { credential in
        guard credential == "identity-credential" else { throw APIError(.tokenInvalid) }
        return "identity"
    }
}

/// What was logged.
final class CapturedLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func append(_ bytes: [UInt8]) {
        lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
    }
}

extension TestClientProtocol {
    func ask(
        _ method: HTTPRequest.Method, _ uri: String, token: String? = nil, headers: HTTPFields = [:],
        body: String? = nil
    ) async throws -> TestResponse {
        try await ask(method, uri, token: token, headers: headers, bytes: body.map { Array($0.utf8) })
    }

    func ask(
        _ method: HTTPRequest.Method, _ uri: String, token: String?, headers: HTTPFields = [:], bytes: [UInt8]?
    ) async throws -> TestResponse {
        var headers = headers
        if let token { headers[.authorization] = "Bearer \(token)" }
        return try await executeRequest(
            uri: uri, method: method, headers: headers, body: bytes.map { ByteBuffer(bytes: $0) })
    }
}

extension TestResponse {
    var text: String { String(buffer: body) }

    /// The body as an error envelope.
    var failure: ErrorEnvelope {
        get throws { try StrictJSON.decode(ErrorEnvelope.self, from: Array(body.readableBytesView)) }
    }

    /// The body as a JSON object.
    var object: [String: Any] {
        get throws {
            try #require(
                try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any])
        }
    }
}
