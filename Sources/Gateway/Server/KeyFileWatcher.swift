internal import Foundation
internal import Logging
internal import MicroMiddleware
internal import ServiceLifecycle

/// Puts renewed public keys in force: looks at the file of keys every few seconds. A file that cannot be used leaves
/// the keys before it in force.
struct KeyFileWatcher: Service {
    let path: String
    let ring: KeyRing
    let logger: Logger
    var interval = Duration.seconds(5)

    func run() async throws {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await watch() }
            try? await gracefulShutdown()
            tasks.cancelAll()
        }
    }

    private func watch() async {
        var seen = FileManager.default.contents(atPath: path)
        while (try? await Task.sleep(for: interval)) != nil {
            guard let data = FileManager.default.contents(atPath: path), data != seen else { continue }
            seen = data
            do {
                ring.replace(with: try KeyRing.verificationOnly(jwks: data, source: path))
                logger.info("renewed public keys are in force", metadata: ["file": "\(path)"])
            } catch {
                logger.error("the changed file of public keys cannot be used", metadata: ["reason": "\(error)"])
            }
        }
    }
}
