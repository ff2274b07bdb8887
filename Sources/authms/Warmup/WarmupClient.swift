import AsyncHTTPClient
import Foundation
import LocalStack
import MicroMiddleware
import NIOCore
import NIOHTTP1

/// Asks the services of the private stack about their warm-up, or those that an address and a secret are given for.
struct WarmupClient {
    /// The services that cache.
    static let services: [ServiceRole] = [.identity, .session, .profile]

    private let urls: [ServiceRole: String]
    private let credential: ServiceCredential

    /// - Parameter url: of the one service that is asked about, where it is not of the private stack.
    init(service: ServiceRole?, url: String?) throws {
        if let url {
            guard let service else {
                throw LocalStackError(.usage, "--url is the address of one service: name it too.")
            }
            guard let secret = Local.environment["INTERNAL_SECRET"] else {
                throw LocalStackError(.usage, "--url needs the services' INTERNAL_SECRET in the environment.")
            }
            urls = [service: url]
            credential = try ServiceCredential(service: "operator", secret: Secret(secret))
        } else {
            let plan = try Local.existingPlan()
            urls = Dictionary(uniqueKeysWithValues: Self.services.map { ($0, plan.layout.url(of: $0)) })
            credential = try ServiceCredential(service: "operator", secret: Secret(plan.secrets["internal"]))
        }
    }

    func report(of service: ServiceRole) async throws -> WarmupReport {
        try await call(.GET, "", nil, service).data
    }

    /// - Returns: what the service says of it, and how matters stand now.
    func order(
        _ name: String, _ order: WarmupOrder, of service: ServiceRole
    ) async throws -> (message: String, report: WarmupReport) {
        let answer = try await call(.POST, "/\(name)", order, service)
        return (answer.message, answer.data)
    }

    private struct Answer: Decodable {
        let message: String
        let data: WarmupReport
    }

    private func call(
        _ method: HTTPMethod, _ path: String, _ body: WarmupOrder?, _ service: ServiceRole
    ) async throws -> Answer {
        guard let url = urls[service] else {
            throw LocalStackError(.usage, "The \(service.rawValue) service caches nothing, and has no warm-up.")
        }
        var request = HTTPClientRequest(url: "\(url)/api/v1/internal/warmup\(path)")
        request.method = method
        request.headers.add(
            name: "x-internal-authorization", value: "Bearer \(try credential.issue(for: service.rawValue))")
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try StrictJSON.encode(body)))
        }
        let (status, bytes): (UInt, ByteBuffer)
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            (status, bytes) = (response.status.code, try await response.body.collect(upTo: 1 << 20))
        } catch {
            throw LocalStackError(.unavailable, "The \(service.rawValue) service does not answer at \(url): \(error)")
        }
        guard status == 200 else {
            throw LocalStackError(
                .answered(Int(status)),
                "The \(service.rawValue) service answered \(status): \(String(buffer: bytes))")
        }
        return try StrictJSON.decode(Answer.self, from: Array(bytes.readableBytesView))
    }
}
