internal import Contracts
internal import Foundation
package import Hummingbird

/// What the operator's `authms warmup` asks of a service.
package struct WarmupRoutes: Sendable {
    private let controller: WarmupController

    package init(_ controller: WarmupController) {
        self.controller = controller
    }

    /// Adds the routes to a group at `api/v1/internal`.
    package func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.get("warmup", use: report)
        group.post("warmup/start", use: start)
        group.post("warmup/skip", use: skip)
    }

    @Sendable private func report(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<WarmupReport> {
        Envelope(controller.report)
    }

    @Sendable private func start(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<WarmupReport> {
        let order = try await request.decode(as: WarmupOrder.self, context: context)
        let began = try await controller.start(
            reason: try order.checkedReason, by: order.by ?? context.caller, at: wholeSecond)
        return Envelope(controller.report, message: began ? "warming up begins" : "warming up was under way already")
    }

    @Sendable private func skip(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<WarmupReport> {
        let order = try await request.decode(as: WarmupOrder.self, context: context)
        let ended = try await controller.skip(by: order.by ?? context.caller, at: wholeSecond)
        return Envelope(controller.report, message: ended ? "everybody is admitted" : "everybody was admitted already")
    }

    private var wholeSecond: Date { Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down)) }
}

/// The body of an order.
package struct WarmupOrder: Codable, Sendable {
    /// Who gives it.
    package var by: String?
    package var reason: String?

    package init(by: String?, reason: String? = nil) {
        self.by = by
        self.reason = reason
    }

    var checkedReason: String {
        get throws {
            let reason = reason ?? "ordered by the operator"
            guard (1...200).contains(reason.count) else {
                throw APIError.invalid("reason", "must have 1 to 200 characters")
            }
            return reason
        }
    }
}
