import AsyncHTTPClient
import ConnectionKit
import Foundation
import LocalStack
import MicroMiddleware
import NIOCore
import NIOHTTP1

/// The first administrator: made at the first start, with a password that must be changed at the first login.
struct Administrator {
    let email: String
    let password: String

    static let firstEmail = "admin@authms.local"
    private static func file(_ layout: StackLayout) -> String { "\(layout.secretsDirectory)/administrator" }
    /// Written before identity is asked, so that a start that is cut short in between does not lose the password.
    private static func pendingFile(_ layout: StackLayout) -> String { file(layout) + "-pending" }

    /// Whom an earlier start made; the password is the first one, which the administrator has changed since or should.
    static func recorded(in layout: StackLayout) -> Administrator? {
        read(file(layout))
    }

    /// Makes the first administrator where no start has yet; nil where there is one.
    ///
    /// - Throws: `LocalStackError` when identity refuses.
    static func makeFirst(in plan: StackPlan) async throws -> Administrator? {
        let layout = plan.layout
        guard recorded(in: layout) == nil else { return nil }
        let pending = read(pendingFile(layout))
        let administrator = pending ?? Administrator(email: firstEmail, password: newPassword())
        let text = "\(administrator.email)\n\(administrator.password)\n"
        try Files.write(text, to: pendingFile(layout))
        let status = try await ask(administrator, plan: plan)
        guard status == 201 || status == 200 else {
            throw LocalStackError(
                .failedToStart, "identity refused to make the first administrator (HTTP \(status)): see its log.")
        }
        // 200: there was an owner already, whom this password belongs to if an earlier start had asked with it.
        let isOurs = status == 201 || pending != nil
        if isOurs { try Files.write(text, to: file(layout)) }
        try Files.remove(pendingFile(layout))
        return isOurs ? administrator : nil
    }

    private static func ask(_ administrator: Administrator, plan: StackPlan) async throws -> Int {
        let credential = try ServiceCredential(service: "operator", secret: Secret(plan.secrets["internal"]))
        var request = HTTPClientRequest(url: "\(plan.layout.url(of: .identity))/api/v1/internal/bootstrap")
        request.method = .POST
        request.headers.add(
            name: "x-internal-authorization", value: "Bearer \(try credential.issue(for: "identity"))")
        request.headers.add(name: "content-type", value: "application/json")
        let body = try JSONEncoder().encode(["email": administrator.email, "password": administrator.password])
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            return Int(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status.code)
        } catch {
            throw LocalStackError(
                .failedToStart, "identity did not answer when the first administrator was to be made: \(error)")
        }
    }

    /// Four groups that a person can copy: lower case, upper case, digits, about 90 random bits.
    private static func newPassword() -> String {
        var generator = SystemRandomNumberGenerator()
        func group(_ alphabet: String) -> String {
            String((0..<5).compactMap { _ in alphabet.randomElement(using: &generator) })
        }
        let lower = "abcdefghjkmnpqrstuvwxyz"
        return [group(lower), group(lower.uppercased()), group("23456789"), group(lower)].joined(separator: "-")
    }

    private static func read(_ path: String) -> Administrator? {
        let lines = (Files.read(path) ?? "").split(separator: "\n").map(String.init)
        return lines.count == 2 ? Administrator(email: lines[0], password: lines[1]) : nil
    }
}
