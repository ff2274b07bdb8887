package import ConnectionKit
package import Logging
import MicroMiddleware
import ServiceLifecycle

/// After a change of key: encrypts every secret anew under the key in force, in small steps, beside the traffic.
package struct Resealing: Service {
    static let batch = 100

    let repository: any MFARepository
    let cipher: FactorCipher
    let interval: Duration
    let logger: Logger

    package init(
        repository: any MFARepository, cipher: FactorCipher, interval: Duration = .seconds(10), logger: Logger
    ) {
        self.repository = repository
        self.cipher = cipher
        self.interval = interval
        self.logger = logger
    }

    /// One round over everything that is under another key.
    /// - Returns: how many were encrypted anew.
    /// - Throws: ``FactorCipherError`` for the first that cannot be read.
    package func reseal(deadline: Deadline) async throws -> Int {
        var done = 0
        while true {
            let others = try await repository.enrolments(
                notUnder: cipher.currentKeyID, limit: Self.batch, deadline: deadline)
            guard !others.isEmpty else { return done }
            for enrolment in others {
                let secret = try cipher.open(enrolment.secret, for: enrolment.owner)
                let sealed = try cipher.seal(secret, for: enrolment.owner)
                // Changed meanwhile: the next round sees what it is now.
                if try await repository.reseal(enrolment, as: sealed, deadline: deadline) { done += 1 }
            }
        }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil {
                do {
                    let count = try await reseal(deadline: .after(.seconds(60)))
                    if count > 0 {
                        logger.notice("secrets were encrypted anew", metadata: ["count": "\(count)"])
                    }
                } catch let error as FactorCipherError {
                    logger.error("a secret cannot be encrypted anew", metadata: ["error": "\(error)"])
                } catch {
                    logger.debug("secrets cannot be encrypted anew now", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    /// Whether every secret can be read: what readiness asks, so that a restore under the wrong keys shows at once.
    package func requireKeys(deadline: Deadline) async throws {
        let unknown = try await repository.keyIDsInUse(deadline: deadline).filter { !cipher.keyIDs.contains($0) }
        guard unknown.isEmpty else { throw FactorCipherError.unknownKey(unknown.sorted().joined(separator: ", ")) }
    }
}
