import AsyncHTTPClient
package import ConnectionKit
import Foundation
import NIOCore
import NIOHTTP1

/// Talks to the supervisor that runs in this checkout.
package struct ControlClient: Sendable {
    private let socket: String

    package init(layout: StackLayout) {
        socket = layout.controlSocket
    }

    /// The whole stack as it is now.
    package func status(deadline: Deadline = .after(.seconds(5))) async throws(LocalStackError) -> StackStatus {
        try await call("GET", "/status", deadline: deadline)
    }

    /// Does something to one process; returns when it is done.
    @discardableResult
    package func perform(
        _ action: StackSupervisor.Action, on name: String, deadline: Deadline = .after(.seconds(40))
    ) async throws(LocalStackError) -> StackStatus {
        try await call("POST", "/processes/\(name)/\(action.rawValue)", deadline: deadline)
    }

    /// Asks the supervisor to stop everything; it ends a while later.
    package func stop(deadline: Deadline = .after(.seconds(5))) async throws(LocalStackError) {
        _ = try await call("POST", "/stop", deadline: deadline)
    }

    private func call(_ method: String, _ path: String, deadline: Deadline) async throws(LocalStackError) -> StackStatus
    {
        guard Files.exists(socket) else { throw Self.notRunning }
        let encoded = socket.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socket
        var request = HTTPClientRequest(url: "http+unix://\(encoded)\(path)")
        request.method = .RAW(value: method)
        let answer: (isOK: Bool, body: Data)
        do {
            let response = try await HTTPClient.shared.execute(
                request, timeout: .milliseconds(Int64(deadline.remainingMilliseconds)))
            let body = try await response.body.collect(upTo: 1 << 20)
            answer = (response.status == .ok, Data(body.readableBytesView))
        } catch {
            throw Self.notRunning
        }
        guard answer.isOK, let status = try? JSONDecoder().decode(StackStatus.self, from: answer.body) else {
            throw LocalStackError(.usage, Self.message(in: answer.body))
        }
        return status
    }

    private static func message(in body: Data) -> String {
        struct Failure: Decodable {
            struct Detail: Decodable { let message: String }
            let error: Detail
        }
        return (try? JSONDecoder().decode(Failure.self, from: body))?.error.message
            ?? "The supervisor answered: \(String(decoding: body, as: UTF8.self))"
    }

    private static var notRunning: LocalStackError {
        LocalStackError(.notRunning, "The suite does not run here: start it with `make up` or `authms up`.")
    }
}
