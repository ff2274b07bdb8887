import ArgumentParser
import AsyncHTTPClient
import Contracts
import Foundation
import LocalStack
import MicroMiddleware
import NIOCore
import NIOHTTP1

/// Where an administrator's command goes and as whom: to the private stack as its operator, unless told.
struct AdminPlace: ParsableArguments {
    @Option(help: ArgumentHelp("The gateway of another suite.", valueName: "url"))
    var gateway: String?

    @Option(
        help: ArgumentHelp("The tenant to act in, by slug or id; the default one unless told.", valueName: "tenant"))
    var tenant: String?

    @Flag(help: "Prints what the API answered, as JSON.")
    var json = false

    /// A client with a token: `AUTHMS_TOKEN` where that is set, else one that the private stack's internal secret buys.
    func client() async throws -> AdminClient {
        if let token = Local.environment["AUTHMS_TOKEN"], !token.isEmpty {
            let url = try gateway ?? Local.existingPlan().layout.url(of: .gateway)
            guard tenant == nil else {
                throw LocalStackError(
                    .usage, "--tenant has no effect on the token in AUTHMS_TOKEN: it is its tenant's.")
            }
            return AdminClient(gateway: url, token: token)
        }
        guard gateway == nil else {
            throw LocalStackError(.usage, "Set AUTHMS_TOKEN to the access token of an administrator there.")
        }
        let plan = try Local.existingPlan()
        return AdminClient(gateway: plan.layout.url(of: .gateway), token: try await operatorToken(plan))
    }

    private func operatorToken(_ plan: StackPlan) async throws -> String {
        let credential = try ServiceCredential(service: Operator.caller, secret: Secret(plan.secrets["internal"]))
        let identity = AdminClient(gateway: plan.layout.url(of: .identity), token: "")
        let body = OperatorTokenRequest(name: ProcessInfo.processInfo.userName, tenant: tenant)
        let answer = try await identity.call(
            .POST, url: "/api/v1/internal/operator-tokens", body: body,
            headers: ["x-internal-authorization": "Bearer \(try credential.issue(for: "identity"))"])
        guard let token = answer.data["access_token"] as? String else {
            throw LocalStackError(.unavailable, "identity gave no token.")
        }
        return token
    }
}

/// What the administrators' API answered.
struct AdminAnswer {
    let body: [String: Any]

    var data: [String: Any] { body["data"] as? [String: Any] ?? [:] }
    var items: [[String: Any]] { body["items"] as? [[String: Any]] ?? [] }
    var total: Int { body["total"] as? Int ?? 0 }
    /// How many there are in all: `1020+` where there are at least so many.
    var totalText: String {
        let isExact = (body["pagination"] as? [String: Any])?["total_is_exact"] as? Bool ?? true
        return isExact ? "\(total)" : "\(total)+"
    }

    /// As the API sent it, in order and indented.
    func printJSON() throws {
        let content = body["items"] ?? body["data"] ?? body
        let options: JSONSerialization.WritingOptions = [
            .prettyPrinted, .sortedKeys, .withoutEscapingSlashes, .fragmentsAllowed,
        ]
        Local.say(
            String(decoding: try JSONSerialization.data(withJSONObject: content, options: options), as: UTF8.self))
    }
}

/// The administrators' API through a gateway.
struct AdminClient {
    let gateway: String
    let token: String

    /// - Throws: `LocalStackError` with what the API says is wrong (`refused`), or that nobody answers or it cannot
    ///   (`unavailable`).
    func call(
        _ method: HTTPMethod, _ path: String, of service: ServiceRole = .identity, body: some Encodable & Sendable
    ) async throws -> AdminAnswer {
        try await call(method, url: "/\(service.rawValue)/api/v1\(path)", body: body)
    }

    func call(
        _ method: HTTPMethod, _ path: String, of service: ServiceRole = .identity
    ) async throws -> AdminAnswer {
        try await call(method, url: "/\(service.rawValue)/api/v1\(path)", body: String?.none)
    }

    /// The tenant that the token is for.
    func tenantID() throws -> String {
        let parts = token.split(separator: ".")
        var payload = parts.count == 3 ? String(parts[1]) : ""
        payload = payload.replacing("-", with: "+").replacing("_", with: "/")
        payload += String(repeating: "=", count: (4 - payload.count % 4) % 4)
        let claims = Data(base64Encoded: payload).flatMap { try? JSONSerialization.jsonObject(with: $0) }
        guard let id = (claims as? [String: Any])?["tenant_id"] as? String else {
            throw LocalStackError(.usage, "AUTHMS_TOKEN is no access token.")
        }
        return id
    }

    func call(
        _ method: HTTPMethod, url: String, body: (some Encodable & Sendable)?, headers: [String: String] = [:]
    ) async throws -> AdminAnswer {
        var request = HTTPClientRequest(url: gateway + url)
        request.method = method
        if !token.isEmpty { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        }
        let response: HTTPClientResponse
        let bytes: Data
        do {
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(15))
            bytes = Data(try await response.body.collect(upTo: 8 << 20).readableBytesView)
        } catch {
            throw LocalStackError(
                .unavailable, "\(gateway) does not answer. Is the suite running? See authms status.")
        }
        let parsed = (try? JSONSerialization.jsonObject(with: bytes)) as? [String: Any] ?? [:]
        guard (200..<300).contains(response.status.code) else {
            let status = Int(response.status.code)
            throw LocalStackError(.answered(status), Self.sentence(parsed, status: status))
        }
        return AdminAnswer(body: parsed)
    }

    private static func sentence(_ body: [String: Any], status: Int) -> String {
        let message = body["message"] as? String ?? "HTTP \(status)."
        let violations = (body["violations"] as? [[String: Any]] ?? []).map {
            "\($0["field"] as? String ?? "") \($0["message"] as? String ?? "")"
        }
        return violations.isEmpty ? message : "\(message) \(violations.joined(separator: "; "))."
    }
}

extension LocalStackError.Kind {
    /// What an answer with this HTTP status means for a command: it was refused, or could not be dealt with.
    static func answered(_ status: Int) -> Self { (400..<500).contains(status) ? .refused : .unavailable }
}
