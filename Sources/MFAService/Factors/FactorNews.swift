import ConnectionKit
import Contracts
package import Logging
package import MicroMiddleware
import ServiceLifecycle

/// Tells identity of every change of second factors: at once where a request waits for it, and again every few seconds
/// until it has been heard.
package struct FactorNews: Service {
    let repository: any MFARepository
    let identity: any IdentityPort
    let interval: Duration
    let logger: Logger

    package init(
        repository: any MFARepository, identity: any IdentityPort, interval: Duration = .seconds(2), logger: Logger
    ) {
        self.repository = repository
        self.identity = identity
        self.interval = interval
        self.logger = logger
    }

    /// Tells of everything that identity has not confirmed.
    /// - Throws: when identity or the database gives no answer.
    package func tellAll(scope: RequestScope) async throws {
        while true {
            let states = try await repository.untold(
                limit: SecondFactorReport.maximumUsers, deadline: scope.deadline.forStatement)
            guard !states.isEmpty else { return }
            try await identity.tell(states, scope: scope)
            try await repository.markTold(states, deadline: scope.deadline.forStatement)
            guard states.count == SecondFactorReport.maximumUsers else { return }
        }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil {
                do {
                    try await tellAll(scope: RequestScope(deadline: .after(.seconds(5))))
                } catch {
                    logger.debug("identity does not know of every second factor yet", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}

extension Deadline {
    /// One statement or short transaction: a dead database is admitted within a second.
    var forStatement: Deadline { capped(at: .milliseconds(900)) }
}
