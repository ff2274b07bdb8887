import ConnectionKit
import Contracts
import Foundation
package import Hummingbird
package import Logging
package import MicroMiddleware
package import Postgres

/// Hands a tenant's records out as a file, to those who may; who did is in the trail itself.
package struct ExportController: Sendable {
    private let exporter: AuditExporter
    private let database: PostgresClient
    private let outbox: Outbox
    private let logger: Logger

    package init(exporter: AuditExporter, database: PostgresClient, outbox: Outbox, logger: Logger) {
        self.exporter = exporter
        self.database = database
        self.outbox = outbox
        self.logger = logger
    }

    /// Adds `export` to a group at `api/v1/admin/audit` that requires `audit:export`. The filters are those of `logs`, as
    /// query parameters, and `format` is `ndjson` or `csv`.
    package func addAdminRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.post("export", use: export)
    }

    @Sendable private func export(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        let tenant = context.identity.tenantID
        let query = try AuditQuery(request, tenantID: tenant)
        let name = request.uri.queryParameters["format"].map(String.init) ?? ExportFormat.ndjson.rawValue
        guard let format = ExportFormat(rawValue: name) else {
            throw APIError.invalid("format", "must be ndjson or csv")
        }
        let head = try await exporter.head(of: tenant, deadline: context.deadline)
        // Before the first byte: nobody takes records away unseen.
        let event = try DomainEvent(
            type: .auditExported, subject: tenant.text, tenantID: tenant,
            data: EventDetail(
                actorID: context.identity.subject, requestID: context.requestID, status: .success,
                message: "audit records were exported", details: ["format": name, "up_to": "\(head)"]))
        try await database.query(Outbox.insertSQL(event), actingFor: tenant, deadline: context.deadline)
        outbox.wake()
        let body = ResponseBody { [exporter, logger] writer in
            do {
                try await Self.write(query, format, head: head, exporter, to: &writer)
                try await writer.finish(nil)
            } catch {
                // The connection ends without the last chunk: the reader sees that it is not all.
                logger.warning("an export broke off", metadata: ["tenant": "\(tenant.text)", "error": "\(error)"])
                throw error
            }
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: format.contentType, .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"audit-\(tenant.text).\(name)\"",
            ], body: body)
    }

    @concurrent private static func write(
        _ query: AuditQuery, _ format: ExportFormat, head: Int64, _ exporter: AuditExporter,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        if format == .csv { try await writer.write(ByteBuffer(string: CSV.row(CSV.header))) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A part proves nothing of what was left out: only the whole comes with what it is verified by.
        let isVerifiable = format == .ndjson && query == AuditQuery(tenantID: query.tenantID)
        if isVerifiable { try await writeDropped(query.tenantID, head: head, exporter, encoder, to: &writer) }
        var last: Int64 = 0
        while true {
            let records = try await exporter.records(
                query, after: last, upTo: head, deadline: .after(.seconds(10)))
            guard let newest = records.last?.link?.sequence else { break }
            last = newest
            var buffer = ByteBuffer()
            for record in records {
                switch format {
                case .csv: buffer.writeString(CSV.row(CSV.fields(record)))
                case .ndjson:
                    buffer.writeBytes(try encoder.encode(ExportedRecord(record)))
                    buffer.writeString("\n")
                }
            }
            try await writer.write(buffer)
        }
        guard isVerifiable else { return }
        var size: Int64 = 0
        while true {
            let signed = try await exporter.checkpoints(
                of: query.tenantID, after: size, upTo: head, deadline: .after(.seconds(10)))
            guard let newest = signed.last?.size else { return }
            size = newest
            var buffer = ByteBuffer()
            for checkpoint in signed { buffer.writeString("{\"checkpoint\":\"\(checkpoint.statement)\"}\n") }
            try await writer.write(buffer)
        }
    }

    /// What is left of the records that the retention policy has dropped, before the records.
    @concurrent private static func writeDropped(
        _ tenantID: UUID, head: Int64, _ exporter: AuditExporter, _ encoder: JSONEncoder,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        var last: Int64 = 0
        while true {
            let runs = try await exporter.dropped(of: tenantID, after: last, upTo: head, deadline: .after(.seconds(10)))
            guard let newest = runs.last else { return }
            last = newest.firstSequence
            var buffer = ByteBuffer()
            for run in runs {
                buffer.writeBytes(try encoder.encode(["dropped": run]))
                buffer.writeString("\n")
            }
            try await writer.write(buffer)
        }
    }
}
