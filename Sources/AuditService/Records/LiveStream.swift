import ConnectionKit
import Contracts
import Foundation
import HTTPTypes
package import Hummingbird
import Logging
package import MicroMiddleware
import ServiceLifecycle
import Synchronization

/// Records as they are stored, as server-sent events: the id of each is its sequence, and `Last-Event-ID` goes on after
/// it without loss, since the trail is where they are read from.
package final class LiveStream: Sendable {
    private let exporter: AuditExporter
    private let limit: Int
    private let taken = Mutex(0)

    /// How often the trail is looked at, and how long nothing is sent before a comment shows that the line is open.
    private static let interval = Duration.milliseconds(250)
    private static let heartbeat = Duration.seconds(10)
    /// After this the listener comes again, with a token that is good then: one that was revoked listens no longer.
    private static let lifetime = Duration.seconds(300)

    /// - Parameter limit: how many may listen at once; the others get 503.
    package init(exporter: AuditExporter, limit: Int = 64) {
        self.exporter = exporter
        self.limit = limit
    }

    /// Adds `stream` to a group at `api/v1/admin/audit` that requires `audit:read`. The filters are those of `logs`.
    package func addAdminRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get("stream") { try await self.stream($0, context: $1) }
    }

    private func stream(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        let query = try AuditQuery(request, tenantID: context.identity.tenantID)
        let start: Int64
        if let name = HTTPField.Name("Last-Event-ID"), let text = request.headers[name] {
            guard let number = Int64(text), number >= 0 else {
                throw APIError.invalid("Last-Event-ID", "must be the id of an event of this stream")
            }
            start = number
        } else {
            start = try await exporter.head(of: query.tenantID, deadline: context.deadline)
        }
        guard let seat = takeSeat() else {
            throw APIError(.overloaded, "As many listen to the audit trail as may. Try again later.")
        }
        let body = ResponseBody { [exporter] writer in
            // Held for as long as the answer is, also if it is never sent.
            defer { withExtendedLifetime(seat) {} }
            try await Self.write(query, after: start, exporter, to: &writer)
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: body)
    }

    /// Until the service stops, the lifetime is over or the listener has gone.
    @concurrent private static func write(
        _ query: AuditQuery, after start: Int64, _ exporter: AuditExporter, to writer: inout any ResponseBodyWriter
    ) async throws {
        var last = start
        var beat = Deadline.after(heartbeat)
        let end = Deadline.after(lifetime)
        try await writer.write(ByteBuffer(string: ": listening after \(start)\nretry: 1000\n\n"))
        while !Task.isShuttingDownGracefully, !end.hasPassed {
            let records = try? await exporter.records(
                query, after: last, upTo: .max, deadline: .after(.seconds(5)))
            if let newest = records?.last?.link?.sequence {
                last = newest
                var buffer = ByteBuffer()
                for record in records ?? [] { try append(record, to: &buffer) }
                try await writer.write(buffer)
                beat = .after(heartbeat)
                continue
            }
            if beat.hasPassed {
                try await writer.write(ByteBuffer(string: ": still here\n\n"))
                beat = .after(heartbeat)
            }
            // Nothing new, or the database is away: nothing is lost by waiting.
            try await Task.sleep(for: interval)
        }
    }

    private static func append(_ record: AuditRecord, to buffer: inout ByteBuffer) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        buffer.writeString("id: \(record.link?.sequence ?? 0)\nevent: record\ndata: ")
        // JSON on one line: the encoder escapes line ends.
        buffer.writeBytes(try encoder.encode(AuditRecordView(record)))
        buffer.writeString("\n\n")
    }

    // MARK: - Seats

    private func takeSeat() -> Seat? {
        let isFree = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        return isFree ? Seat { [weak self] in self?.taken.withLock { $0 -= 1 } } : nil
    }

    /// A listener's place, given back when whatever holds it is gone.
    private final class Seat: Sendable {
        private let onEnd: @Sendable () -> Void

        init(onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }
        deinit { onEnd() }
    }
}
