import ConnectionKit
import Contracts
import Foundation
package import Hummingbird
package import MicroMiddleware
import ServiceLifecycle

/// The dead letters of the whole suite, for those who run it: administrators of the default tenant.
package struct DeadLetterController: Sendable {
    private let desk: DeadLetterDesk

    package init(desk: DeadLetterDesk) {
        self.desk = desk
    }

    /// Adds the routes to a group at `api/v1/admin/dead-letters` that requires `dead_letters:manage`.
    package func addRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get(use: list)
        group.post("retry", use: retryAll)
        group.get(":id", use: show)
        group.post(":id/retry", use: retry)
        group.post(":id/discard", use: discard)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<DeadLetterView> {
        try context.requireOperator()
        let page = try Page(request)
        let letters = try await asking {
            try await desk.list(limit: DeadLetterDesk.scanLimit, deadline: context.deadline)
        }
        let shown = letters.dropFirst(page.offset).prefix(page.size).map { DeadLetterView($0) }
        return ListEnvelope(
            Array(shown), total: letters.count, countedUpTo: DeadLetterDesk.scanLimit, page: page)
    }

    @Sendable private func show(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<DeadLetterView> {
        try context.requireOperator()
        let id = try Self.id(context)
        let letter = try await asking { try await desk.show(id, deadline: context.deadline) }
        return Envelope(DeadLetterView(letter, withPayload: true))
    }

    @Sendable private func retry(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RetriedView> {
        try context.requireOperator()
        let id = try Self.id(context)
        let actor = context.identity.subject.text
        return Envelope(
            RetriedView(retried: try await asking { try await desk.retry(id, by: actor, deadline: context.deadline) }))
    }

    @Sendable private func retryAll(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RetriedView> {
        try context.requireOperator()
        let actor = context.identity.subject.text
        return Envelope(
            RetriedView(retried: try await asking { try await desk.retry(nil, by: actor, deadline: context.deadline) }))
    }

    @Sendable private func discard(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<DiscardedView> {
        try context.requireOperator()
        let id = try Self.id(context)
        let body = try await request.decode(as: DiscardRequest.self, context: context)
        let reason = body.reason.trimmingCharacters(in: .whitespacesAndNewlines)
        guard (3...500).contains(reason.count) else {
            throw APIError.invalid("reason", "must have 3 to 500 characters")
        }
        let actor = context.identity.subject.text
        try await asking { try await desk.discard(id, reason: reason, by: actor, deadline: context.deadline) }
        return Envelope(DiscardedView())
    }

    /// The broker's troubles are a 503, an id that is not there a 404.
    private func asking<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch DeadLetterError.unknown {
            throw APIError(.notFound, "There is no such dead letter, or it is gone already.")
        } catch let error as any APIErrorConvertible {
            throw error
        } catch {
            throw APIError(.dependencyUnavailable)
        }
    }

    private static func id(_ context: AuthenticatedRequestContext) throws -> String {
        guard let id = context.parameters.get("id"), id.utf8.count <= 255 else { throw APIError(.notFound) }
        return id
    }
}

// MARK: - Bodies

private struct DiscardRequest: Decodable {
    let reason: String
}

struct RetriedView: Encodable, Sendable {
    let retried: Int
}

struct DiscardedView: Encodable, Sendable {
    let discarded = true
}

/// A dead letter as the API and the command line show it.
package struct DeadLetterView: Encodable, Sendable {
    package let id: String
    package let queue: String
    package let type: String?
    package let attempts: Int64
    package let firstError: String
    package let lastError: String
    package let firstFailedAt: String?
    package let lastFailedAt: String?
    /// The message with its secrets masked; only where one is looked at.
    package let payload: String?

    package init(_ letter: DeadLetter, withPayload: Bool = false) {
        id = letter.id
        queue = letter.queue
        type = letter.type
        attempts = letter.attempts
        firstError = letter.firstError
        lastError = letter.lastError
        firstFailedAt = letter.firstFailedAt
        lastFailedAt = letter.lastFailedAt
        payload = withPayload ? letter.maskedPayload : nil
    }

    enum CodingKeys: String, CodingKey {
        case id, queue, type, attempts, payload
        case firstError = "first_error"
        case lastError = "last_error"
        case firstFailedAt = "first_failed_at"
        case lastFailedAt = "last_failed_at"
    }
}

/// How many dead letters there are, for an alert.
struct DeadLetterGauge: Service {
    let desk: DeadLetterDesk
    private let gauges: [String: MetricGauge]

    init(desk: DeadLetterDesk, metrics: MetricsRegistry) {
        self.desk = desk
        gauges = Dictionary(
            uniqueKeysWithValues: DeadLetterDesk.piles.map { pile in
                let gauge = metrics.gauge(
                    "authms_dead_letters",
                    help: "Messages that were given up or reached nobody, and wait for somebody.",
                    labels: [("queue", pile.name)])
                return (pile.name, gauge)
            })
    }

    /// Looks every ten seconds until graceful shutdown; while the broker is away the last figure stays.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                for depth in (try? await desk.depths(deadline: .after(.seconds(3)))) ?? [] {
                    gauges[depth.queue]?.set(Double(depth.count))
                }
                try? await Task.sleep(for: .seconds(10))
            }
        }
    }
}
