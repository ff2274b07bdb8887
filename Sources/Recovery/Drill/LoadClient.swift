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

    private let connections = LoadConnections(timeout: .seconds(12))
    private let gateway: String

    init(gateway: String) {
        self.gateway = gateway
    }

    func close() async { await connections.close() }

    /// - Parameters:
    ///   - path: below the gateway, or a whole address.
    ///   - id: the `X-Request-Id`, which reaches the trail with what the request changes.
    ///   - readsData: whether the data of a success is of interest; why a request failed always is.
    func send(
        _ method: HTTPMethod, _ path: String, _ body: [String: String]? = nil, token: String? = nil, id: String? = nil,
        readsData: Bool = true
    ) async -> Answer {
        let begin = ContinuousClock.now
        var answer = Answer()
        do {
            var headers = HTTPHeaders()
            if let id { headers.add(name: "x-request-id", value: id) }
            if let token { headers.add(name: "authorization", value: "Bearer \(token)") }
            var bytes: ByteBuffer?
            if let body {
                headers.add(name: "content-type", value: "application/json")
                bytes = ByteBuffer(bytes: try JSONEncoder().encode(body))
            }
            let address = path.hasPrefix("http") ? path : gateway + path
            let got = try await connections.send(method, address, headers, bytes)
            answer.status = Int(got.head.status.code)
            answer.hasRetryAfter = got.head.headers.contains(name: "retry-after")
            answer.summary = "\(answer.status) "
            if readsData || !answer.isSuccess { answer.read(Data(got.body.readableBytesView)) }
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
