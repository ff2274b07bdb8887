internal import ConnectionKit
internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import Subprocess
internal import SystemPackage

/// Debian's HAProxy, verifying an ES256 token with `jwt_verify` before it passes a request on: what the gateway is
/// compared with.
struct ComparedProxy {
    let upstreamPort: Int
    let publicKeyPEM: String

    /// Runs HAProxy while `body` runs; `body` gets the port.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Int) async throws -> Result) async throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "authms-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let port = try await Self.freePort()
        let keyPath = directory.appending(path: "public.pem").path
        let configurationPath = directory.appending(path: "haproxy.cfg").path
        try publicKeyPEM.write(toFile: keyPath, atomically: true, encoding: .utf8)
        try configuration(port: port, keyPath: keyPath).write(
            toFile: configurationPath, atomically: true, encoding: .utf8)
        let executable = Executable.path(FilePath(try BenchPrograms.haproxy.path))
        let result = try await Subprocess.run(
            executable, arguments: ["-db", "-f", configurationPath], input: .none, output: .discarded,
            error: .discarded
        ) { execution in
            let outcome: Swift.Result<Result, any Error>
            do {
                try await Self.waitUntilListening(port)
                outcome = .success(try await body(port))
            } catch {
                outcome = .failure(error)
            }
            await execution.teardown(using: [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))])
            return try outcome.get()
        }
        return result.closureResult
    }

    private func configuration(port: Int, keyPath: String) -> String {
        """
        global
            nbthread 2
            maxconn 4096
        defaults
            mode http
            timeout connect 1s
            timeout client 30s
            timeout server 30s
            timeout http-keep-alive 30s
            http-reuse always
        frontend public
            bind 127.0.0.1:\(port)
            http-request set-var(txn.bearer) http_auth_bearer
            http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
            http-request deny deny_status 401 unless { var(txn.alg) -m str ES256 }
            http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"\(keyPath)") -m int 1 }
            default_backend upstream
        backend upstream
            server one 127.0.0.1:\(upstreamPort)

        """
    }

    /// A port that was free a moment ago.
    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }

    private static func waitUntilListening(_ port: Int) async throws {
        let deadline = Deadline.after(.seconds(5))
        while !deadline.hasPassed {
            let attempt = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.milliseconds(200))
            if let channel = try? await attempt.connect(host: "127.0.0.1", port: port).get() {
                try await channel.close()
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw BenchFailure(description: "HAProxy did not start on port \(port) within 5 s; is it installed?")
    }
}
