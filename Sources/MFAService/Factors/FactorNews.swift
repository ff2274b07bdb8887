import ConnectionKit
import Contracts
import Foundation
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

    /// Tells of everything that identity has not confirmed, or has forgotten.
    /// - Throws: when identity or the database gives no answer.
    package func tellAll(scope: RequestScope) async throws {
        var states = try await untold(scope: scope)
        guard !states.isEmpty else { return }
        // The next report would make it look as if nothing had been lost.
        try await lookBack(scope: scope)
        while !states.isEmpty {
            let last = try await repository.lastReport(deadline: scope.deadline.forStatement)
            let number = max(last + 1, Int64(Date().timeIntervalSince1970 * 1_000_000))
            _ = try await identity.tell(SecondFactorReport(users: states, number: number), scope: scope)
            try await repository.markTold(states, report: number, deadline: scope.deadline.forStatement)
            states = try await untold(scope: scope)
        }
    }

    /// Asks which report identity heard last. One before what it has confirmed means that its database was set back: whoever
    /// set a factor up since would sign in without it. Then that is to be told again.
    /// - Throws: when identity or the database gives no answer.
    package func lookBack(scope: RequestScope) async throws {
        let confirmed = try await repository.lastReport(deadline: scope.deadline.forStatement)
        let receipt = try await identity.tell(SecondFactorReport(users: []), scope: scope)
        guard let heard = receipt.last, heard < confirmed else { return }
        let count = try await repository.forgetTold(after: heard, deadline: scope.deadline.forStatement)
        guard count > 0 else { return }
        logger.warning("identity has forgotten second factors and is told again", metadata: ["users": "\(count)"])
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var round = 0
            while (try? await Task.sleep(for: interval)) != nil {
                do {
                    let scope = RequestScope(deadline: .after(.seconds(5)))
                    // A change is told within seconds; that identity was set back is found within some more.
                    if round % Self.roundsPerLook == 0 { try await lookBack(scope: scope) }
                    round += 1
                    try await tellAll(scope: scope)
                } catch {
                    logger.debug("identity does not know of every second factor yet", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private static let roundsPerLook = 5

    private func untold(scope: RequestScope) async throws -> [SecondFactorState] {
        try await repository.untold(limit: SecondFactorReport.maximumUsers, deadline: scope.deadline.forStatement)
    }
}

extension Deadline {
    /// One statement or short transaction: a dead database is admitted within a second.
    var forStatement: Deadline { capped(at: .milliseconds(900)) }
}
