import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// A user's client of the suite: one request at a time, each with an id of its own and a time that it may take.
struct LoadClient: Sendable {
    struct Answer: Sendable {
        var status = 0
        var hasRetryAfter = false
        /// Of the envelope's data: the texts and numbers that the load goes by.
        var texts: [String: String] = [:]
        var expiresIn: Int?
        var summary = "no answer"
        var latency_ms = 0.0

        var isSuccess: Bool { (200..<300).contains(status) }
    }

    private static let timeout = TimeAmount.seconds(12)
    private let client: HTTPClient
    private let gateway: String

    init(gateway: String) {
        self.gateway = gateway
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 128
        // A client that pauses between attempts to connect would add its pauses to what is measured.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    /// - Parameters:
    ///   - path: below the gateway, or a whole address.
    ///   - id: the `X-Request-Id`, which reaches the trail with what the request changes.
    func send(
        _ method: HTTPMethod, _ path: String, _ body: [String: String]? = nil, token: String? = nil, id: String? = nil
    ) async -> Answer {
        let begin = ContinuousClock.now
        var answer = Answer()
        do {
            var request = HTTPClientRequest(url: path.hasPrefix("http") ? path : gateway + path)
            request.method = method
            if let id { request.headers.add(name: "x-request-id", value: id) }
            if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
            if let body {
                request.headers.add(name: "content-type", value: "application/json")
                request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
            }
            let response = try await client.execute(request, timeout: Self.timeout)
            let bytes = try await response.body.collect(upTo: 1 << 20)
            answer.status = Int(response.status.code)
            answer.hasRetryAfter = response.headers.contains(name: "retry-after")
            answer.read(Data(bytes.readableBytesView))
        } catch {
            answer.summary = "no answer: \(error)"
        }
        answer.latency_ms = (ContinuousClock.now - begin) / .milliseconds(1)
        return answer
    }
}

extension LoadClient.Answer {
    fileprivate mutating func read(_ body: Data) {
        let envelope = try? JSONSerialization.jsonObject(with: body) as? [String: Any]
        let data = envelope?["data"] as? [String: Any] ?? [:]
        texts = data.compactMapValues { $0 as? String }
        expiresIn = data["expires_in"] as? Int
        summary = "\(status) \(envelope?["error"] as? String ?? "")"
    }
}
