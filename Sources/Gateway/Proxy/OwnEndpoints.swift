internal import NIOCore
internal import NIOHTTP1

/// The paths that the gateway answers itself. None of them needs any service.
package struct OwnEndpoints: Sendable {
    struct Answer {
        var status = HTTPResponseStatus.ok
        var contentType = "application/json; charset=utf-8"
        var cacheControl = "no-store"
        /// Only a page that runs scripts has one.
        var contentSecurityPolicy: String?
        var body: ByteBuffer
    }

    /// The paths that are answered here, as the document of the API has them.
    package static let paths = [
        "/livez", "/readyz", "/health", "/metrics", "/.well-known/jwks.json", "/.well-known/openid-configuration",
        "/docs",
        "/docs/openapi.json", "/docs/asyncapi.json", "/docs/specs/{service}", "/docs/page.js", "/docs/page.css",
    ]

    /// Seconds for which a verifier may keep the key set; key rotation waits at least as long.
    package static let keySetLifetimeSeconds = 300

    private let keySet: @Sendable () -> String
    private let metricsText: @Sendable () -> String
    private let isReady: @Sendable () -> Bool
    private let documents: DocumentShelf
    private let discovery: String

    /// - Parameters:
    ///   - issuer: the `iss` of the tokens, letter for letter (RFC 8414 §3.3).
    ///   - publicURL: where clients reach the gateway, and so its endpoints; the issuer unless told.
    ///   - algorithms: what tokens are signed with: `ES256`.
    ///   - keySet: the JWKS (RFC 7517) of every published key.
    ///   - metricsText: the metrics in Prometheus' text format.
    ///   - isReady: whether the gateway can verify tokens.
    ///   - documents: what is served under `/docs`.
    package init(
        issuer: String, publicURL: String? = nil, algorithms: [String] = ["ES256"],
        keySet: @escaping @Sendable () -> String, metricsText: @escaping @Sendable () -> String,
        isReady: @escaping @Sendable () -> Bool,
        documents: DocumentShelf = DocumentShelf()
    ) {
        self.documents = documents
        self.keySet = keySet
        self.metricsText = metricsText
        self.isReady = isReady
        let place = publicURL ?? issuer
        let base = place.hasSuffix("/") ? String(place.dropLast()) : place
        let names = algorithms.map { "\"\($0)\"" }.joined(separator: ",")
        discovery =
            "{\"issuer\":\"\(issuer)\",\"jwks_uri\":\"\(base)/.well-known/jwks.json\""
            + ",\"response_types_supported\":[\"token\"],\"subject_types_supported\":[\"public\"]"
            + ",\"id_token_signing_alg_values_supported\":[\(names)]"
            + ",\"token_endpoint_auth_methods_supported\":[\"none\"]"
            + ",\"claims_supported\":[\"iss\",\"aud\",\"sub\",\"tenant_id\",\"roles\",\"sid\",\"jti\",\"iat\",\"exp\","
            + "\"auth_time\",\"amr\"]}"
    }

    /// - Throws: ``Refusal/notFound`` for a path that is not answered here, ``Refusal/unavailable`` for a document that is
    ///   being put together.
    func answer(path: String, context: GatewayContext, timestamp: String) throws(Refusal) -> Answer {
        switch path {
        case "/livez": return Answer(body: ByteBuffer(string: "{\"status\":\"ok\"}"))
        case "/readyz":
            let ready = !context.isDraining && isReady()
            let text = "{\"status\":\"\(ready ? "ready" : "not_ready")\",\"draining\":\(context.isDraining)}"
            return Answer(status: ready ? .ok : .serviceUnavailable, body: ByteBuffer(string: text))
        case "/health":
            let status: HTTPResponseStatus = context.health.summary == .unhealthy ? .serviceUnavailable : .ok
            return Answer(status: status, body: ByteBuffer(string: context.health.json(timestamp: timestamp)))
        case "/metrics":
            return Answer(
                contentType: "text/plain; version=0.0.4; charset=utf-8", body: ByteBuffer(string: metricsText()))
        case "/.well-known/jwks.json":
            return Answer(
                contentType: "application/jwk-set+json", cacheControl: "public, max-age=\(Self.keySetLifetimeSeconds)",
                body: ByteBuffer(string: keySet()))
        case "/.well-known/openid-configuration":
            return Answer(
                cacheControl: "public, max-age=\(Self.keySetLifetimeSeconds)", body: ByteBuffer(string: discovery))
        default: return try document(path)
        }
    }

    private func document(_ path: String) throws(Refusal) -> Answer {
        switch documents.find(path) {
        case .nothing: throw .notFound
        case .preparing: throw .unavailable
        case .file(let file):
            return Answer(
                contentType: file.contentType, cacheControl: "public, max-age=60",
                contentSecurityPolicy: path == "/docs" ? Self.pagePolicy : nil, body: ByteBuffer(bytes: file.bytes))
        }
    }

    /// The page runs its own script, on what this gateway sends, inside nobody's frame (Content Security Policy, level 3).
    private static let pagePolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none';"
        + " form-action 'none'; frame-ancestors 'none'"
}
