import AsyncHTTPClient
import ConnectionKit
import Foundation
import LocalStack
import NIOCore
import NIOHTTP1

/// What the demo asks the gateway, as any client would: JSON over HTTP.
struct DemoClient {
    /// An answer; also when nobody answered, since that is what an outage looks like.
    struct Answer {
        let status: Int
        let body: [String: Any]
        let raw: Data
        let retryAfter: String?

        /// The envelope's `data`.
        var data: [String: Any] { body["data"] as? [String: Any] ?? [:] }
        func text(_ name: String) -> String? { data[name] as? String }
        /// `503` or `503 dependency_unavailable, Retry-After 2`.
        var summary: String {
            guard status != 0 else { return "no answer" }
            let name = (body["error"] as? String).map { " \($0)" } ?? ""
            return "\(status)\(name)\(retryAfter.map { ", Retry-After \($0)" } ?? "")"
        }
    }

    let gateway: String

    func get(_ path: String, token: String? = nil) async -> Answer {
        await call(.GET, path, body: nil, token: token)
    }

    func post(_ path: String, _ body: [String: String], token: String? = nil) async -> Answer {
        await call(.POST, path, body: body, token: token)
    }

    private func call(_ method: HTTPMethod, _ path: String, body: [String: String]?, token: String?) async -> Answer {
        var request = HTTPClientRequest(url: gateway + path)
        request.method = method
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        do {
            if let body {
                request.headers.add(name: "content-type", value: "application/json")
                request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
            }
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(12))
            let raw = Data(try await response.body.collect(upTo: 1 << 20).readableBytesView)
            return Answer(
                status: Int(response.status.code),
                body: (try? JSONSerialization.jsonObject(with: raw)) as? [String: Any] ?? [:], raw: raw,
                retryAfter: response.headers.first(name: "retry-after"))
        } catch {
            return Answer(status: 0, body: [:], raw: Data(), retryAfter: nil)
        }
    }
}
