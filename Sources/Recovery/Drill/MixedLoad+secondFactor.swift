import Foundation
import NIOHTTP1

// The users of the load who sign in with a one-time password.

extension MixedLoad {
    /// Enrolments under way at a time.
    private static let enrolments = 4

    /// Makes so many of them that each rests until there is another code to show.
    ///
    /// - Throws: `DrillError` when the suite does not do that while nothing is wrong.
    func enrol(_ count: Int) async throws {
        let enrolled = await withTaskGroup(of: Bool.self) { group in
            var enrolled = 0
            for number in 0..<count {
                if number >= Self.enrolments, await group.next() == true { enrolled += 1 }
                group.addTask { await self.enrol() }
            }
            for await isEnrolled in group where isEnrolled { enrolled += 1 }
            return enrolled
        }
        guard enrolled == count else {
            throw DrillError(
                "Only \(enrolled) of \(count) users could enable a second factor before anything was broken.")
        }
    }

    private func enrol() async -> Bool {
        let email = "drill-mfa-\(UUID().uuidString.lowercased())@example.org"
        let credentials = ["identity": email, "email": email, "password": Self.password]
        var id = Self.requestID()
        let registered = await client.send(
            .POST, "/identity/api/v1/auth/register", credentials.filter { $0.key != "identity" }, id: id)
        guard registered.status == 201, let user = registered.texts["user_id"] else { return false }
        acknowledge("identity", "identity.user.registered", id)
        id = Self.requestID()
        let login = await client.send(
            .POST, "/identity/api/v1/auth/login", credentials.filter { $0.key != "email" }, id: id)
        guard let access = login.texts["access_token"], let refresh = login.texts["refresh_token"] else { return false }
        acknowledge("identity", "identity.login.succeeded", id)
        let setup = await client.send(.POST, "/mfa/api/v1/mfa/totp/setup", token: access)
        guard setup.isSuccess, let secret = setup.texts["secret"],
            var app = Authenticator(user: email, base32: secret), let code = app.code(at: Date())
        else { return false }
        id = Self.requestID()
        let enabled = await client.send(
            .POST, "/mfa/api/v1/mfa/totp/verify", ["code": code], token: access, id: id)
        guard enabled.isSuccess else { return false }
        acknowledge("mfa", "mfa.totp.enabled", id)
        ledger.add(app)
        // Something to sign out of while nobody can sign in.
        ledger.giveToEnd(Ledger.Held(user: user, access: access, refresh: refresh))
        return true
    }

    /// The password buys a challenge, and the code answers it; that both are done is one login, and what either is
    /// answered is what it comes to. As slow as the slower of the two.
    func signInWithSecondFactor(_ number: Int, at: Double) async -> Ledger.Held? {
        guard let user = ledger.authenticatorUser(number) else { return nil }
        let first = await client.send(
            .POST, "/identity/api/v1/auth/login", ["identity": user, "password": Self.password], id: Self.requestID())
        guard first.isSuccess else {
            record(.loginMFA, at: at, first)
            return nil
        }
        guard let challenge = first.texts["challenge_token"], first.texts["access_token"] == nil else {
            let detail = "a password alone was answered \(first.summary)"
            record(Sample(.loginMFA, at: at, latency_ms: first.latency_ms, outcome: .broken, detail: detail))
            ledger.accepted("\(detail) at \(Int(at)) s, where a second factor was due")
            return nil
        }
        // Whoever has shown every code is not the suite's fault.
        guard let code = ledger.code(of: number, at: Date()) else { return nil }
        let id = Self.requestID()
        var second = await client.send(
            .POST, "/identity/api/v1/auth/mfa/verify-challenge",
            ["challenge_token": challenge, "mfa_method": "totp", "code": code], id: id)
        second.latency_ms = max(first.latency_ms, second.latency_ms)
        let refresh = second.texts["refresh_token"]
        record(.loginMFA, at: at, second, isDegraded: refresh == nil)
        guard second.isSuccess else { return nil }
        acknowledge("identity", "identity.login.succeeded", id)
        acknowledge("mfa", "mfa.challenge.verified", id)
        guard let access = second.texts["access_token"], let refresh else { return nil }
        // To be signed out of, and nothing else: nobody asks whose it is.
        return Ledger.Held(user: user, access: access, refresh: refresh)
    }
}
