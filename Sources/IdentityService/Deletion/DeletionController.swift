import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// Deleting one's account and taking one's data along.
struct DeletionController: Sendable {
    let rules: AccountDeletion

    init(rules: AccountDeletion) {
        self.rules = rules
    }

    /// Adds the routes of signed-in users and, for who has no account any more, the one of anybody: groups at `api/v1`.
    func addRoutes(
        to group: some RouterMethods<AuthenticatedRequestContext>, public: some RouterMethods<BaseRequestContext>
    ) {
        group.delete("auth/me", use: delete)
        group.post("auth/me/delete-account", use: delete)
        group.post("auth/me/export-data", use: requestExport)
        group.get("auth/me/export-data/:export_id", use: export)
        `public`.get("public/deletions/:deletion_id", use: deletion)
    }

    @Sendable private func delete(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<DeletionView> {
        let deletion = try await rules.delete(context.identity, origin: RequestOrigin(context))
        return Envelope(
            DeletionView(deletion), message: "The account is deleted; its data goes everywhere now.",
            status: .accepted)
    }

    @Sendable private func deletion(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<DeletionView> {
        guard let id = context.parameters.get("deletion_id", as: UUID.self),
            let deletion = try await rules.deletion(id, origin: RequestOrigin(context))
        else { throw APIError(.notFound, "There is no such deletion.") }
        return Envelope(DeletionView(deletion))
    }

    @Sendable private func requestExport(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ExportView> {
        let export = try await rules.requestExport(context.identity, origin: RequestOrigin(context))
        return Envelope(ExportView(export), message: "Your data is being put together.", status: .accepted)
    }

    /// The data itself once it is together, without an envelope: a file.
    @Sendable private func export(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Response {
        guard let id = context.parameters.get("export_id", as: UUID.self),
            let export = try await rules.export(id, of: context.identity, origin: RequestOrigin(context))
        else { throw APIError(.notFound, "There is no such export, or it has expired.") }
        guard let bundle = export.bundle else {
            return try Envelope(ExportView(export), status: .accepted).response(from: request, context: context)
        }
        let headers: HTTPFields = [
            .contentType: "application/json; charset=utf-8", .cacheControl: "no-store",
            .contentDisposition: "attachment; filename=\"authms-export.json\"", .contentLength: "\(bundle.count)",
        ]
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bundle)))
    }
}

// MARK: - Bodies

private struct DeletionView: Encodable {
    let deletionID: String
    let status: String
    let requestedAt: Date
    let completedAt: Date?
    /// Each service, and whether it has nothing of the user any more.
    let services: [String: Bool]

    init(_ deletion: Deletion) {
        deletionID = deletion.id.text
        status = deletion.completedAt == nil ? "pending" : "complete"
        requestedAt = deletion.requestedAt
        completedAt = deletion.completedAt
        services = Dictionary(uniqueKeysWithValues: Deletion.services.map { ($0, deletion.erased.contains($0)) })
    }

    enum CodingKeys: String, CodingKey {
        case deletionID = "deletion_id"
        case status
        case requestedAt = "requested_at"
        case completedAt = "completed_at"
        case services
    }
}

private struct ExportView: Encodable {
    let exportID: String
    let status: String
    let expiresAt: Date

    init(_ export: DataExport) {
        exportID = export.id.text
        status = export.bundle == nil ? "pending" : "ready"
        expiresAt = export.expiresAt
    }

    enum CodingKeys: String, CodingKey {
        case exportID = "export_id"
        case status
        case expiresAt = "expires_at"
    }
}
