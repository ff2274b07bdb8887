import ConnectionKit
import Foundation
package import Logging
import MicroMiddleware
import ServiceLifecycle

/// Forgets challenges and registrations that are long over, every minute.
package struct Housekeeping: Service {
    let repository: any MFARepository
    let logger: Logger

    package init(repository: any MFARepository, logger: Logger) {
        self.repository = repository
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(60))) != nil {
                do {
                    while try await repository.purgeChallenges(
                        now: Date(), limit: 1_000, deadline: .after(.seconds(10))) >= 1_000
                    {}
                } catch {
                    logger.info("challenges that are over could not be deleted", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
