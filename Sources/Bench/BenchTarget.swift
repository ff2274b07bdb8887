import AsyncHTTPClient
import Contracts
import Foundation
import NIOCore
import NIOHTTP1

/// The running suite that is measured, by what `authms env` says of it.
package struct BenchTarget: Sendable {
    /// For example `http://127.0.0.1:11080`.
    package let gateway: String
    /// libpq's URL of the session service's database.
    package let sessionDatabase: String

    package init(gateway: String, sessionDatabase: String) {
        self.gateway = gateway
        self.sessionDatabase = sessionDatabase
    }

    static let password = "correct horse battery staple"

    /// Registers users for a measurement.
    ///
    /// - Returns: their e-mail addresses.
    func register(_ count: Int) async throws -> [String] {
        var addresses: [String] = []
        for _ in 0..<count {
            let address = "bench-\(UUID().text)@example.org"
            _ = try await post("register", ["email": address, "password": Self.password], expecting: 201)
            addresses.append(address)
        }
        return addresses
    }

    /// Signs in, and returns the refresh token.
    func refreshToken(of address: String) async throws -> String {
        try await signIn(address, "refresh_token")
    }

    /// Signs in, and returns the access token.
    func accessToken(of address: String) async throws -> String {
        try await signIn(address, "access_token")
    }

    /// Ends the session that an access token belongs to.
    func logOut(_ token: String) async throws {
        _ = try await post("logout", [:], token: token, expecting: 200)
    }

    private func signIn(_ address: String, _ field: String) async throws -> String {
        let answer = try await post("login", ["identity": address, "password": Self.password], expecting: 200)
        let body = try JSONSerialization.jsonObject(with: answer) as? [String: Any]
        guard let token = (body?["data"] as? [String: Any])?[field] as? String else {
            throw BenchFailure(description: "login gave no \(field): is the session service running?")
        }
        return token
    }

    private func post(
        _ path: String, _ body: [String: String], token: String? = nil, expecting status: Int
    ) async throws -> Data {
        var request = HTTPClientRequest(url: "\(gateway)/identity/api/v1/auth/\(path)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        request.body = .bytes(try JSONEncoder().encode(body))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(15))
        let answer = try await response.body.collect(upTo: 1 << 20)
        guard Int(response.status.code) == status else {
            throw BenchFailure(description: "\(path) answered \(response.status.code): \(String(buffer: answer))")
        }
        return Data(answer.readableBytesView)
    }
}
