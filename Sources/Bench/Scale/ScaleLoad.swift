import AsyncHTTPClient
import Contracts
import Foundation
import LocalStack
import MicroMiddleware
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends a bounded number of requests through the gateway, as numbered users and as one administrator, and times each.
///
/// Tokens are made here, under the suite's own keys, so that nobody need sign in before what is measured.
final class ScaleLoad: Sendable {
    private let gateway: String
    private let issuer: TokenIssuer
    private let refreshTokens: RefreshTokenCodec
    /// Which refresh token of a session is in force, where it is not the first.
    private let generations = Mutex<[Int: UInt32]>([:])

    init(layout: StackLayout) throws {
        let ring = try KeyRing.load(directory: layout.keysDirectory)
        gateway = layout.url(of: .gateway)
        issuer = TokenIssuer(ring: ring, issuer: "https://authms.local", audience: "authms")
        refreshTokens = RefreshTokenCodec(ring: ring)
    }

    /// Opens connections, and lets each prepare its statements: nothing of it is measured.
    func warmUp(users: Int) async throws {
        for kind in ScaleRequest.allCases { _ = try await send(kind, pass: Self.unmeasured, users: users) }
    }

    /// A pass that no measured one has a number of.
    private static let unmeasured = 1_000

    /// - Returns: how long each request took, in milliseconds.
    func send(_ kind: ScaleRequest, pass: Int, users: Int) async throws -> [Double] {
        try await withThrowingTaskGroup(of: [Double].self) { group in
            for lane in 0..<kind.connections {
                group.addTask { try await self.send(kind, lane: lane, pass: pass, users: users) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func send(_ kind: ScaleRequest, lane: Int, pass: Int, users: Int) async throws -> [Double] {
        var times: [Double] = []
        for index in stride(from: lane, to: kind.count, by: kind.connections) {
            let number = pass * kind.count + index
            let request = try request(kind, number, users)
            times.append(try await milliseconds(request, kind))
            if kind == .refresh { rotated(Self.spread(number, over: users * ScalePopulation.sessionsEach)) }
        }
        return times
    }

    private func milliseconds(_ request: HTTPClientRequest, _ kind: ScaleRequest) async throws -> Double {
        let start = ContinuousClock.now
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(15))
        let body = try await response.body.collect(upTo: 1 << 20)
        let took = ContinuousClock.now - start
        guard response.status == .ok else {
            let said = String(buffer: body).prefix(300)
            throw BenchFailure(description: "\(kind.name) answered \(response.status.code): \(said)")
        }
        return took / .milliseconds(1)
    }

    // MARK: - Requests

    private func request(_ kind: ScaleRequest, _ number: Int, _ users: Int) throws -> HTTPClientRequest {
        switch kind {
        case .login:
            let user = Self.spread(number, over: users)
            let email = ScalePopulation.email(ScalePopulation.isDisabled(user) ? 0 : user)
            return try post("login", ["identity": email, "password": BenchTarget.password])
        case .refresh:
            return try refresh(Self.spread(number, over: users * ScalePopulation.sessionsEach))
        case .sessions:
            let user = Self.spread(number, over: users)
            return try get("/session/api/v1/sessions", as: user, roles: ["member"])
        case .search:
            return try get("/identity/api/v1/admin/users?\(Self.query(number))", as: 0, roles: ["owner"])
        case .broadSearch:
            return try get("/identity/api/v1/admin/users?q=scale-", as: 0, roles: ["owner"])
        }
    }

    /// Each beginning is that of ten users, of the first thousand.
    private static func query(_ number: Int) -> String {
        let ten = ScalePopulation.digits(number % 100 * 10).dropLast()
        return switch number % 5 {
        case 0: "q=scale-\(ten)"
        case 1: "q=person%20\(ten)"
        case 2: "status=disabled"
        case 3: "role=auditor"
        default: "page=3"
        }
    }

    private func refresh(_ session: Int) throws -> HTTPClientRequest {
        let token = RefreshToken(
            sessionID: ScalePopulation.sessionID(session), generation: generations.withLock { $0[session] ?? 0 },
            expiresAt: Date() + 86_400)
        return try post("refresh", ["refresh_token": try refreshTokens.encode(token)])
    }

    private func rotated(_ session: Int) {
        generations.withLock { $0[session, default: 0] += 1 }
    }

    private func post(_ path: String, _ body: [String: String]) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "\(gateway)/identity/api/v1/auth/\(path)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(try JSONEncoder().encode(body))
        return request
    }

    private func get(_ path: String, as user: Int, roles: [String]) throws -> HTTPClientRequest {
        let token = try issuer.issue(
            subject: ScalePopulation.userID(user), tenantID: DefaultTenant.id, roles: roles,
            sessionID: ScalePopulation.sessionID(user * ScalePopulation.sessionsEach), methods: ["pwd"]
        ).token
        var request = HTTPClientRequest(url: gateway + path)
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        return request
    }

    /// Consecutive numbers far apart, each once: the step has no factor in common with how many there are.
    private static func spread(_ number: Int, over count: Int) -> Int { number * 7_919 % count }
}
