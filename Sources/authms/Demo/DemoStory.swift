import ConnectionKit
import Contracts
import Foundation
import LocalStack
import MicroMiddleware

/// The demo, told step by step; every wait in it has an end.
struct DemoStory {
    /// A step failed that the rest builds on.
    struct CannotGoOn: Error, CustomStringConvertible {
        let description: String
    }

    let plan: StackPlan
    let control: ControlClient
    let outage: Duration
    private(set) var failures = 0
    private let client: DemoClient
    private let keys: DemoKeys
    private let email = "demo-\(StackSecrets.random().prefix(10))@example.com"
    private let password = "Demo-\(StackSecrets.random().prefix(16))"

    init(plan: StackPlan, control: ControlClient, outage: Duration, keys: DemoKeys) {
        self.keys = keys
        self.plan = plan
        self.control = control
        self.outage = outage
        client = DemoClient(gateway: plan.layout.url(of: .gateway))
    }

    mutating func tell() async throws {
        let user = try await register()
        var tokens = try await signIn()
        let verifier = try await fetchKeys()
        try verify(tokens.access, with: verifier, user: user)
        tokens = try await refresh(tokens)
        await showAuditRecord(of: user)
        try await outage(tokens, verifier: verifier)
    }

    // MARK: - The main job

    private mutating func register() async throws -> String {
        heading("1. A user registers and signs in, through the gateway at \(client.gateway)")
        let answer = await client.post(
            "/identity/api/v1/auth/register", ["email": email, "password": password, "name": "Demo"])
        check(answer.status == 201, "POST /identity/api/v1/auth/register  \(email): \(answer.summary)")
        guard let user = answer.text("user_id") else {
            throw CannotGoOn(description: "Without a user there is no demo.")
        }
        return user
    }

    private mutating func signIn() async throws -> (access: String, refresh: String) {
        let answer = await login()
        check(answer.status == 200, "POST /identity/api/v1/auth/login: \(answer.summary)")
        guard let access = answer.text("access_token"), let refresh = answer.text("refresh_token") else {
            throw CannotGoOn(description: "Without tokens there is no demo.")
        }
        return (access, refresh)
    }

    private func login() async -> DemoClient.Answer {
        await client.post("/identity/api/v1/auth/login", ["identity": email, "password": password])
    }

    private mutating func fetchKeys() async throws -> TokenVerifier {
        guard !keys.areShared else {
            heading("2. Any service that holds the shared secret verifies the token offline")
            return keys.sharedVerifier
        }
        heading("2. Any service verifies the token offline: public keys from the JWKS, no call to anybody")
        let answer = await client.get("/.well-known/jwks.json")
        check(answer.status == 200, "GET /.well-known/jwks.json: \(answer.summary)")
        do {
            return try keys.verifier(jwks: answer.raw)
        } catch {
            throw CannotGoOn(description: "The JWKS cannot be used: \(error)")
        }
    }

    private mutating func verify(_ token: String, with verifier: TokenVerifier, user: String) throws {
        do {
            let claims = try verifier.verify(token)
            let isHers = claims.subject.text == user.lowercased()
            check(
                isHers,
                "\(keys.algorithm) signature, issuer, audience and time are good; sub \(user), roles \(claims.roles)")
        } catch {
            check(false, "the token does not verify: \(error)")
        }
    }

    private mutating func refresh(
        _ tokens: (access: String, refresh: String)
    ) async throws -> (access: String, refresh: String) {
        heading("3. The session is refreshed: a new access token, a new refresh token")
        let answer = await client.post("/identity/api/v1/auth/refresh", ["refresh_token": tokens.refresh])
        check(answer.status == 200, "POST /identity/api/v1/auth/refresh: \(answer.summary)")
        guard let access = answer.text("access_token"), let refresh = answer.text("refresh_token") else {
            throw CannotGoOn(description: "Without a session there is no outage to survive.")
        }
        check(refresh != tokens.refresh, "the refresh token was rotated")
        return (access, refresh)
    }

    private mutating func showAuditRecord(of user: String) async {
        heading("4. The audit service has it all, by way of the outbox and RabbitMQ")
        let deadline = Deadline.after(.seconds(40))
        var actions: [String] = []
        var last = "no answer"
        while !deadline.hasPassed {
            // The operator holds the keys and can speak as an auditor.
            guard let token = try? keys.auditorToken() else { break }
            let answer = await client.get(
                "/audit/api/v1/admin/audit/logs?user_id=\(user)&page_size=50", token: token)
            last = answer.summary
            let items = answer.body["items"] as? [[String: Any]] ?? []
            actions = items.compactMap { $0["action"] as? String }
            if actions.contains(where: { $0.contains("registered") }), actions.count >= 2 { break }
            try? await Task.sleep(for: .milliseconds(100))
        }
        check(actions.count >= 2, "GET /audit/api/v1/admin/audit/logs: \(last), \(actions.count) records of this user")
        for action in actions.reversed() { Local.say("      \(action)") }
    }

    // MARK: - The outage

    private mutating func outage(_ first: (access: String, refresh: String), verifier: TokenVerifier) async throws {
        heading("5. The identity database is stopped for \(outage.components.seconds) seconds")
        try await control.perform(.stop, on: "postgres-identity")
        Local.say("  ■ postgres-identity is stopped")
        let startedAt = ContinuousClock.now
        var tokens = first
        var rounds = 0
        repeat {
            let round = ContinuousClock.now
            tokens = await duringOutage(tokens, verifier: verifier, since: startedAt)
            rounds += 1
            try? await Task.sleep(until: round.advanced(by: .seconds(2)))
        } while startedAt.duration(to: .now) < outage
        heading("6. The database comes back")
        try await control.perform(.start, on: "postgres-identity")
        let back = ContinuousClock.now
        let deadline = Deadline.after(.seconds(60))
        var answer = await login()
        while answer.status != 200, !deadline.hasPassed {
            try? await Task.sleep(for: .milliseconds(100))
            answer = await login()
        }
        let seconds = back.duration(to: .now).formatted(.units(fractionalPart: .show(length: 1)))
        check(answer.status == 200, "login answers \(answer.summary), \(seconds) after the database was started")
    }

    private mutating func duringOutage(
        _ tokens: (access: String, refresh: String), verifier: TokenVerifier, since start: ContinuousClock.Instant
    ) async -> (access: String, refresh: String) {
        let verified = (try? verifier.verify(tokens.access)) != nil
        let refreshed = await client.post("/identity/api/v1/auth/refresh", ["refresh_token": tokens.refresh])
        let answer = await login()
        let seconds = start.duration(to: .now).components.seconds
        check(
            verified && refreshed.status == 200 && answer.status == 503,
            "after \(seconds) s: the token verifies: \(verified ? "yes" : "no") · refresh: \(refreshed.summary)"
                + " · login: \(answer.summary)")
        guard let access = refreshed.text("access_token") else { return tokens }
        return (access, refreshed.text("refresh_token") ?? tokens.refresh)
    }

    // MARK: - Words

    private func heading(_ text: String) {
        Local.say("\n\(text)")
    }

    private mutating func check(_ isAsPromised: Bool, _ text: String) {
        if !isAsPromised { failures += 1 }
        Local.say("  \(isAsPromised ? "✔" : "✘") \(text)")
    }
}
