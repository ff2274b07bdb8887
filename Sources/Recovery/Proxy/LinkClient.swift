import AsyncHTTPClient
import Foundation
package import LocalStack
import NIOCore
import NIOHTTP1

/// Gives the proxies of the running suite their orders.
package struct LinkClient: Sendable {
    private let socket: String

    package init(layout: StackLayout) {
        socket = layout.linkSocket
    }

    /// Whether the suite that runs was started with proxies.
    package var isThere: Bool { Files.exists(socket) }

    /// The mode of each link, by name.
    package func modes() async throws(LocalStackError) -> [String: FaultProxy.Mode] {
        try await call(.GET, "/links")
    }

    /// Returns when it has taken effect.
    package func set(_ mode: FaultProxy.Mode, on link: String) async throws(LocalStackError) {
        _ = try await call(.POST, "/links/\(link)/\(mode.rawValue)")
    }

    private func call(_ method: HTTPMethod, _ path: String) async throws(LocalStackError) -> [String: FaultProxy.Mode] {
        let encoded = socket.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socket
        var request = HTTPClientRequest(url: "http+unix://\(encoded)\(path)")
        request.method = method
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
            let body = try await response.body.collect(upTo: 1 << 16)
            guard response.status == .ok else {
                throw LocalStackError(.usage, "There is no link \(path): `authms up --proxied` makes them.")
            }
            return try JSONDecoder().decode([String: FaultProxy.Mode].self, from: Data(body.readableBytesView))
        } catch let error as LocalStackError {
            throw error
        } catch {
            throw LocalStackError(.notRunning, "The suite does not run with proxies here: `authms up --proxied`.")
        }
    }
}
