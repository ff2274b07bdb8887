import Foundation
import NIOHTTP1

// What the users of the load do. Whatever is acknowledged to them is written down by its request id.

extension MixedLoad {
    func register(at: Double) async {
        let email = "drill-\(UUID().uuidString.lowercased())@example.org"
        let id = Self.requestID()
        let answer = await client.send(
            .POST, "/identity/api/v1/auth/register", ["email": email, "password": Self.password], id: id)
        record(.register, at: at, answer)
        guard answer.status == 201, let user = answer.texts["user_id"] else { return }
        acknowledge("identity", "identity.user.registered", id)
        ledger.add(user: email, id: user)
    }

    func signIn(_ number: Int, at: Double) async -> Ledger.Held? {
        guard let user = ledger.user(number) else { return nil }
        let id = Self.requestID()
        let answer = await client.send(
            .POST, "/identity/api/v1/auth/login", ["identity": user.name, "password": Self.password], id: id)
        let refresh = answer.texts["refresh_token"]
        record(.login, at: at, answer, isDegraded: refresh == nil)
        if answer.isSuccess { acknowledge("identity", "identity.login.succeeded", id) }
        guard let access = answer.texts["access_token"], let refresh else { return nil }
        return Ledger.Held(user: user.id, access: access, refresh: refresh)
    }

    func refresh(at: Double) async {
        guard var held = ledger.takeSession() else { return }
        let id = held.pending ?? Self.requestID()
        let since = held.askedSince ?? Date()
        let answer = await client.send(
            .POST, "/identity/api/v1/auth/refresh", ["refresh_token": held.refresh], id: id)
        let isShort = answer.expiresIn == 300
        record(.refresh, at: at, answer, isDegraded: isShort)
        if answer.status == 401 { return ledger.lost("a refresh was answered \(answer.summary) at \(Int(at)) s") }
        // A token of five minutes changes nothing, and so has no record where nobody could write one.
        if answer.isSuccess, !isShort { acknowledge("session", Reckoning.refreshed, id, since: since) }
        held.pending = answer.isSuccess && !isShort ? nil : id
        held.askedSince = held.pending.map { _ in since }
        held.access = answer.texts["access_token"] ?? held.access
        held.refresh = answer.texts["refresh_token"] ?? held.refresh
        ledger.give(held)
    }

    /// Reads take turns at the services that know the caller; now and then one asks with a token that was signed out.
    func read(_ number: Int, at: Double) async {
        if number % 50 == 0, let token = ledger.endedToken(before: at - 2.5, number) {
            let (service, path) = Self.place(number / 50, user: "none")
            let answer = await client.send(.GET, path, token: token)
            if answer.status == 200 { ledger.accepted("\(service) took a signed-out token at \(Int(at)) s") }
            return
        }
        guard let held = ledger.session(number) else { return }
        let (service, path) = Self.place(number, user: held.user)
        record(.verify, service: service, at: at, await client.send(.GET, path, token: held.access, readsData: false))
    }

    func changeProfile(_ number: Int, at: Double) async {
        guard let held = ledger.session(number) else { return }
        let id = Self.requestID()
        let answer = await client.send(
            .PUT, "/profile/api/v1/profiles/\(held.user)", ["nickname": "turn \(number)"], token: held.access, id: id)
        record(.profile, at: at, answer)
        if answer.isSuccess { acknowledge("profile", "profile.updated", id) }
    }

    func signOut(at: Double) async {
        guard var held = ledger.takeToEnd() else { return }
        let since = held.askedSince ?? Date()
        held.askedSince = since
        let answer = await client.send(
            .POST, "/identity/api/v1/auth/logout", ["refresh_token": held.refresh], token: held.access)
        record(.logout, at: at, answer)
        guard answer.status == 200 else { return ledger.giveToEnd(held) }
        if let session = TokenGlance.session(of: held.access) {
            acknowledge("session", Reckoning.signedOut, session, since: since)
        }
        ledger.ended(held.access, at: elapsed)
    }

    // MARK: - Parts

    private static func place(_ number: Int, user: String) -> (service: String, path: String) {
        switch number % 3 {
        case 0: ("identity", "/identity/api/v1/auth/me")
        case 1: ("session", "/session/api/v1/sessions?page_size=1")
        default: ("profile", "/profile/api/v1/profiles/\(user)")
        }
    }

    static func requestID() -> String { "drill-\(UUID().uuidString.lowercased())" }

    /// - Parameter since: when it was first asked for, where an answer may have been lost.
    func acknowledge(_ service: String, _ action: String, _ key: String, since: Date? = nil) {
        let now = Date()
        ledger.add(
            Ledger.Change(
                service: service, action: action, key: key, at: elapsed, acknowledgedAt: now, askedSince: since ?? now))
    }

    func record(
        _ capability: Capability, service: String = "", at: Double, _ answer: LoadClient.Answer,
        isDegraded: Bool = false
    ) {
        let outcome: Sample.Outcome
        switch answer.status {
        case 200..<300: outcome = isDegraded ? .degraded : .works
        case 503 where answer.hasRetryAfter: outcome = .refused
        default: outcome = .broken
        }
        record(
            Sample(
                capability, service: service, at: at, latency_ms: answer.latency_ms, outcome: outcome,
                detail: answer.summary))
    }
}

/// What a token says of itself, taken on its word: these are our own.
enum TokenGlance {
    /// The `sid` of an access token.
    static func session(of token: String) -> String? {
        let parts = token.split(separator: ".")
        guard parts.count == 3 else { return nil }
        var text = String(parts[1]).replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.count % 4) % 4)
        guard let data = Data(base64Encoded: text) else { return nil }
        let claims = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        return claims?["sid"] as? String
    }
}
