import AsyncHTTPClient
import ConnectionKit
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// The mix that every promise is measured under: each second 5 logins, 1 registration, 40 refreshes, 150 authenticated
/// reads, 4 logouts. Sent on schedule whatever the answers do; bounded in what is under way.
final class MixedLoad: Sendable {
    private static let password = "correct horse battery staple"
    /// Requests under way at most; one more is not sent, and counts as broken.
    private static let maximumInFlight = 512

    let ledger = Ledger()
    private let gateway: String
    private let client: HTTPClient
    private let start = ContinuousClock.now
    private let inFlight = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)

    init(gateway: String) {
        self.gateway = gateway
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 128
        // A client that pauses between attempts to connect would add its pauses to what is measured.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(configuration: configuration)
    }

    /// Seconds since the load began.
    var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

    func stop() { isStopping.store(true, ordering: .relaxed) }
    func close() async { try? await client.shutdown() }

    /// Makes the users and sessions that the load begins with.
    ///
    /// - Throws: `DrillError` when the suite does not do that while nothing is wrong.
    func prepare(users: Int = 12, sessions: Int = 120) async throws {
        for _ in 0..<users { await register(at: elapsed) }
        var made = 0
        for number in 0..<(sessions * 2) where made < sessions {
            if let held = await signIn(number, at: elapsed) {
                ledger.give(held)
                made += 1
            }
        }
        guard made == sessions else {
            throw DrillError("Only \(made) of \(sessions) sessions could be opened before anything was broken.")
        }
    }

    /// Sends until ``stop()``.
    func run() async {
        await withDiscardingTaskGroup { group in
            for capability in Capability.allCases {
                group.addTask { await self.send(capability) }
            }
        }
    }

    private func send(_ capability: Capability) async {
        let begin = ContinuousClock.now
        let interval = Duration.seconds(1) / capability.perSecond
        await withDiscardingTaskGroup { group in
            var number = 0
            while !isStopping.load(ordering: .relaxed) {
                let due = begin + interval * number
                try? await Task.sleep(until: due, clock: .continuous)
                let at = (due - start) / .seconds(1)
                let turn = number
                number += 1
                guard inFlight.load(ordering: .relaxed) < Self.maximumInFlight else {
                    record(capability, at: at, latency_ms: 0, .broken, "too many under way")
                    continue
                }
                inFlight.wrappingAdd(1, ordering: .relaxed)
                group.addTask {
                    await self.act(capability, turn, at: at)
                    self.inFlight.wrappingSubtract(1, ordering: .relaxed)
                }
            }
        }
    }

    private func act(_ capability: Capability, _ number: Int, at: Double) async {
        switch capability {
        case .verify: await read(number, at: at)
        case .refresh: await refresh(at: at)
        case .login: if let held = await signIn(number, at: at) { ledger.giveToEnd(held) }
        case .register: await register(at: at)
        case .logout: await signOut(number, at: at)
        }
    }

    // MARK: - What users do

    private func register(at: Double) async {
        let email = "drill-\(UUID().uuidString.lowercased())@example.org"
        let answer = await post("auth/register", ["email": email, "password": Self.password])
        record(.register, at: at, answer)
        if answer.status == 201, let id = answer.data["user_id"] as? String { ledger.add(user: email, id: id) }
    }

    private func signIn(_ number: Int, at: Double) async -> Ledger.Held? {
        guard let user = ledger.user(number) else { return nil }
        let answer = await post("auth/login", ["identity": user, "password": Self.password])
        let isWhole = answer.data["refresh_token"] as? String != nil
        record(.login, at: at, answer, isDegraded: !isWhole)
        guard let access = answer.data["access_token"] as? String,
            let refresh = answer.data["refresh_token"] as? String
        else { return nil }
        return Ledger.Held(access: access, refresh: refresh)
    }

    private func refresh(at: Double) async {
        guard var held = ledger.takeSession() else { return }
        let answer = await post("auth/refresh", ["refresh_token": held.refresh])
        let isWhole = answer.data["expires_in"] as? Int != 300
        record(.refresh, at: at, answer, isDegraded: !isWhole)
        if answer.status == 401 { return ledger.lost("a refresh was answered \(answer.summary) at \(Int(at)) s") }
        held.access = answer.data["access_token"] as? String ?? held.access
        held.refresh = answer.data["refresh_token"] as? String ?? held.refresh
        ledger.give(held)
    }

    /// Reads take turns at the services that know the caller; now and then one asks with a token that was signed out.
    private func read(_ number: Int, at: Double) async {
        let (service, path) = number % 2 == 0 ? ("identity", "auth/me") : ("session", "sessions?page_size=1")
        if number % 50 == 0, let token = ledger.endedToken(before: at - 2.5, number) {
            let answer = await send(.GET, "/\(service)/api/v1/\(path)", nil, token)
            if answer.status == 200 { ledger.accepted("\(service) took a signed-out token at \(Int(at)) s") }
            return
        }
        guard let token = ledger.accessToken(number) else { return }
        record(.verify, service: service, at: at, await send(.GET, "/\(service)/api/v1/\(path)", nil, token))
    }

    private func signOut(_ number: Int, at: Double) async {
        guard let held = ledger.takeToEnd() else { return }
        let answer = await send(
            .POST, "/identity/api/v1/auth/logout", ["refresh_token": held.refresh], held.access)
        record(.logout, at: at, answer)
        if answer.status == 200 { ledger.ended(held.access, at: elapsed) } else { ledger.giveToEnd(held) }
    }

    // MARK: - Requests

    private struct Answer {
        var status = 0
        var hasRetryAfter = false
        var data: [String: Any] = [:]
        var summary = "no answer"
        var latency_ms = 0.0
    }

    private func post(_ path: String, _ body: [String: String]) async -> Answer {
        await send(.POST, "/identity/api/v1/\(path)", body, nil)
    }

    private func send(_ method: HTTPMethod, _ path: String, _ body: [String: String]?, _ token: String?) async -> Answer
    {
        let begin = ContinuousClock.now
        var answer = Answer()
        do {
            var request = HTTPClientRequest(url: gateway + path)
            request.method = method
            if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
            if let body {
                request.headers.add(name: "content-type", value: "application/json")
                request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
            }
            let response = try await client.execute(request, timeout: .seconds(12))
            let bytes = try await response.body.collect(upTo: 1 << 20)
            let envelope = try? JSONSerialization.jsonObject(with: Data(bytes.readableBytesView)) as? [String: Any]
            answer.status = Int(response.status.code)
            answer.hasRetryAfter = response.headers.contains(name: "retry-after")
            answer.data = envelope?["data"] as? [String: Any] ?? [:]
            answer.summary = "\(answer.status) \(envelope?["error"] as? String ?? "")"
        } catch {
            answer.summary = "no answer: \(error)"
        }
        answer.latency_ms = (ContinuousClock.now - begin) / .milliseconds(1)
        return answer
    }

    private func record(
        _ capability: Capability, service: String = "", at: Double, _ answer: Answer, isDegraded: Bool = false
    ) {
        let outcome: Sample.Outcome
        switch answer.status {
        case 200..<300: outcome = isDegraded ? .degraded : .works
        case 503 where answer.hasRetryAfter: outcome = .refused
        default: outcome = .broken
        }
        record(capability, service: service, at: at, latency_ms: answer.latency_ms, outcome, answer.summary)
    }

    private func record(
        _ capability: Capability, service: String = "", at: Double, latency_ms: Double, _ outcome: Sample.Outcome,
        _ detail: String
    ) {
        ledger.add(
            Sample(
                capability: capability, service: service, at: at, latency_ms: latency_ms, outcome: outcome,
                detail: detail))
    }
}

/// Why a drill could not be held, in one sentence.
package struct DrillError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
