import ConnectionKit
import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import Images
import MicroMiddleware
import NIOCore

/// Pictures: their owners put and remove them, and others of the tenant see them where privacy lets them.
struct AvatarController: Sendable {
    let repository: any ProfileRepository
    let profiles: CachedProfiles
    let workshop: ImageWorkshop
    let now: @Sendable () -> Date

    init(
        repository: any ProfileRepository, profiles: CachedProfiles, workshop: ImageWorkshop,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.profiles = profiles
        self.workshop = workshop
        self.now = now
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.group("profiles/:user_id/avatar")
            .get(use: show)
            .delete(use: remove)
            .post("upload", use: upload)
    }

    @Sendable private func upload(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        let id = try ProfileController.ownID(context)
        let content = try await Self.content(request)
        let image = try await workshop.clean(content, deadline: context.deadline)
        let avatar = Avatar(
            contentType: image.format.contentType, width: image.width, height: image.height, bytes: image.bytes)
        let event = try ProfileController.event(.avatarChanged, "avatar", at: now(), context)
        let profile = try await profiles.setAvatar(
            avatar, of: id, tenantID: context.identity.tenantID, expected: try EntityTag.expectedVersion(request),
            event: event, deadline: context.deadline.forStatement)
        var response = try Envelope(AvatarView(avatar, of: id), message: "uploaded", status: .created)
            .response(from: request, context: context)
        response.headers[.eTag] = EntityTag.text(profile.version)
        return response
    }

    @Sendable private func remove(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        let id = try ProfileController.ownID(context)
        let event = try ProfileController.event(.avatarChanged, "avatar", at: now(), context)
        let profile = try await profiles.setAvatar(
            nil, of: id, tenantID: context.identity.tenantID, expected: try EntityTag.expectedVersion(request),
            event: event, deadline: context.deadline.forStatement)
        var response = try Envelope(ProfileController.fields(profile)).response(from: request, context: context)
        response.headers[.eTag] = EntityTag.text(profile.version)
        return response
    }

    /// To its owner; to others of the tenant where the field `avatar_url` is for them, and else as if there were none.
    @Sendable private func show(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        guard let id = context.parameters.get("user_id", as: UUID.self) else { throw ProfileError.unknown }
        let found = try await repository.avatar(
            of: id, tenantID: context.identity.tenantID, deadline: context.deadline.forStatement)
        guard let (avatar, visibility) = found, id == context.identity.subject || visibility == .tenant else {
            throw ProfileError.noAvatar
        }
        var headers: HTTPFields = [
            .eTag: avatar.entityTag, .cacheControl: "private, max-age=300", .vary: "Authorization",
            // Whatever it is taken for, it is a picture and nothing that runs.
            .xContentTypeOptions: "nosniff", .contentSecurityPolicy: "default-src 'none'; sandbox",
        ]
        if Self.matches(request.headers[.ifNoneMatch], avatar.entityTag) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = avatar.contentType
        headers[.contentLength] = String(avatar.bytes.count)
        headers[.contentDisposition] = "inline"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: avatar.bytes)))
    }

    // MARK: - Parts

    /// The picture as it was sent: as the body itself, or as a file in a form.
    private static func content(_ request: Request) async throws -> [UInt8] {
        let type = request.headers[.contentType] ?? ""
        let isForm = type.lowercased().hasPrefix("multipart/form-data")
        guard isForm || type.isEmpty || type.lowercased().hasPrefix("image/") || type == "application/octet-stream"
        else {
            throw APIError(.unsupportedMediaType, "The body must be a picture, or multipart/form-data with one.")
        }
        // A form has a few lines around the file.
        let limit = Avatar.maximumUploadBytes + (isForm ? 16_384 : 0)
        let tooLarge = APIError(.bodyTooLarge, "A picture may have at most 2 MiB.")
        let body: [UInt8]
        do {
            body = Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        guard isForm else { return body }
        guard let file = MultipartFile.content(of: body, contentType: type) else {
            throw APIError.invalid("file", "is missing in the form")
        }
        guard file.count <= Avatar.maximumUploadBytes else { throw tooLarge }
        return file
    }

    /// RFC 9110, section 13.1.2: weak comparison, a list, or `*`.
    private static func matches(_ header: String?, _ tag: String) -> Bool {
        guard let header else { return false }
        return header.split(separator: ",").contains { candidate in
            let candidate = candidate.trimmingCharacters(in: .whitespaces)
            return candidate == "*" || candidate == tag || candidate == "W/\(tag)"
        }
    }
}

private struct AvatarView: Encodable {
    let userID: String
    let avatarURL: String
    let contentType: String
    let width: Int
    let height: Int
    let size: Int

    init(_ avatar: Avatar, of userID: UUID) {
        self.userID = userID.text
        avatarURL = avatar.address(of: userID)
        contentType = avatar.contentType
        width = avatar.width
        height = avatar.height
        size = avatar.bytes.count
    }

    enum CodingKeys: String, CodingKey {
        case width, height, size
        case userID = "user_id"
        case avatarURL = "avatar_url"
        case contentType = "content_type"
    }
}
