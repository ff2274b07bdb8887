import ArgumentParser
import AsyncHTTPClient
import ConnectionKit
import Foundation
import LocalStack
import NIOCore
import NIOHTTP1
import NIOSSL

/// What an image's health check runs: the process says itself whether it can do its work.
struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks the service on this machine whether it is ready; for health checks of containers.",
        discussion: """
            The port is HTTP_PORT, or the gateway's. Ends with 0 when /readyz answers 200, with 1 otherwise.
            """)

    @Option(help: "The port to ask.")
    var port: Int?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let port = self.port ?? environment["HTTP_PORT"].flatMap { Int($0) } ?? ServiceRole.gateway.basePort
        let usesTLS = environment["GATEWAY_TLS_CERTIFICATE_FILE"] != nil
        var tls = TLSConfiguration.makeClientConfiguration()
        // The certificate is for the name that clients use, not for the loopback address.
        tls.certificateVerification = .none
        let client = HTTPClient(configuration: .init(tlsConfiguration: tls))
        let request = HTTPClientRequest(url: "\(usesTLS ? "https" : "http")://127.0.0.1:\(port)/readyz")
        let answer = try? await client.execute(request, timeout: .seconds(2))
        let body = try? await answer?.body.collect(upTo: 65_536)
        try await client.shutdown()
        guard let answer else {
            Local.say("nothing answers on port \(port)")
            throw ExitCode.failure
        }
        Local.say(body.map { String(buffer: $0) } ?? "HTTP \(answer.status.code)")
        guard answer.status == .ok else { throw ExitCode.failure }
    }
}
