import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware
import NIOCore

/// Tokens as other programs ask about them: introspection (RFC 7662), revocation (RFC 7009), and what is revoked.
struct TokenController: Sendable {
    let inspection: TokenInspection
    let signOut: SignOut
    let repository: any SessionRepository
    let now: @Sendable () -> Date

    init(
        inspection: TokenInspection, signOut: SignOut, repository: any SessionRepository,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.inspection = inspection
        self.signOut = signOut
        self.repository = repository
        self.now = now
    }

    /// Adds revocation to a group at `api/v1`: whoever has a token may end it.
    func addPublicRoutes(to group: some RouterMethods<BaseRequestContext>) {
        group.post("tokens/revoke", use: revoke)
    }

    /// Adds the others to a group at `api/v1/admin`.
    func addAdminRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.sessionsRead, "tokens")
            .post("introspect", use: introspect)
            .get("blacklist", use: blacklist)
        group.requiring(.sessionsRevoke, "tokens")
            .post("blacklist", use: addToBlacklist)
            .post("revoke-all", use: revokeAll)
    }

    // MARK: - The two standards

    @Sendable private func introspect(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Response {
        let form = try await TokenForm.read(request, context: context)
        let finding = try await inspection.inspect(
            form.token, tenantID: context.identity.tenantID, deadline: context.deadline)
        var response = try StrictJSON().encode(IntrospectionView(finding), from: request, context: context)
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// A token that is none, or has ended already, is as good as revoked (RFC 7009, section 2.2). An expired access token
    /// needs no revocation.
    @Sendable private func revoke(_ request: Request, context: BaseRequestContext) async throws -> Response {
        let form = try await TokenForm.read(request, context: context)
        let identity = try? inspection.verify(form.token)
        do {
            try await signOut.signOut(
                identity: identity, refreshToken: identity == nil ? form.token : nil,
                actor: SessionActor(context, userID: identity?.subject), deadline: context.deadline)
        } catch let error as RefreshTokenError where error != .newerForm {
            // Not ours, or expired.
        }
        return Response(status: .ok, headers: [.cacheControl: "no-store", .contentLength: "0"])
    }

    // MARK: - What is revoked

    @Sendable private func blacklist(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<RevocationView> {
        let page = try Page(request)
        let found = try await repository.revocations(
            of: context.identity.tenantID, offset: page.offset, limit: page.size, now: now(),
            deadline: context.deadline.forStatement)
        return ListEnvelope(
            found.revocations.map(RevocationView.init), total: found.total, countedUpTo: page.countBound, page: page)
    }

    /// Ends the session that a token of the tenant belongs to: one that was found where it should not be.
    @Sendable private func addToBlacklist(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let form = try await TokenForm.read(request, context: context)
        let finding = try await inspection.inspect(
            form.token, tenantID: context.identity.tenantID, deadline: context.deadline)
        let (identity, actor) = (context.identity, SessionActor(context, userID: context.identity.subject))
        let count: Int
        switch finding {
        case .access(let claims):
            count = try await signOut.end(
                sessionOf: claims, by: identity, actor: actor, deadline: context.deadline)
        case .refresh(let token, _):
            count = try await signOut.end(
                these: [token.sessionID], by: identity, actor: actor, deadline: context.deadline)
        case nil: throw APIError.invalid("token", "is no token of this tenant that could still be used")
        }
        return Envelope(RevokedCount(revoked: count), message: "revoked", status: .created)
    }

    @Sendable private func revokeAll(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let body = try await request.decode(as: RevokeAllRequest.self, context: context)
        let (identity, actor) = (context.identity, SessionActor(context, userID: context.identity.subject))
        let count: Int
        switch (body.userID, body.tenantID) {
        case (let user?, nil):
            count = try await signOut.endAll(of: user, by: identity, actor: actor, deadline: context.deadline)
        case (nil, let tenant?):
            guard tenant == identity.tenantID else {
                throw APIError(.permissionDenied, "The tokens of another tenant are not yours to revoke.")
            }
            count = try await signOut.endTenant(by: identity, actor: actor, deadline: context.deadline)
        default: throw APIError.invalid("user_id", "or tenant_id is needed, one of the two")
        }
        return Envelope(RevokedCount(revoked: count), message: "revoked")
    }
}

// MARK: - Bodies

/// The parameters of both standards: as a form, as they have it, or as JSON like everything else.
private struct TokenForm: Decodable {
    let token: String

    static func read(_ request: Request, context: some ServiceRequestContext) async throws -> TokenForm {
        let type = request.headers[.contentType]?.lowercased() ?? ""
        guard type.hasPrefix("application/x-www-form-urlencoded") else {
            return try await request.decode(as: TokenForm.self, context: context)
        }
        let body = try await request.body.collect(upTo: 65_536)
        guard let text = String(validating: body.readableBytesView, as: UTF8.self),
            let form = try? URLEncodedFormDecoder().decode(TokenForm.self, from: text)
        else { throw APIError.invalid("token", "is missing") }
        return form
    }
}

private struct RevokeAllRequest: Decodable {
    let userID: UUID?
    let tenantID: UUID?

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case tenantID = "tenant_id"
    }
}

private struct RevocationView: Encodable {
    let revocation: Revocation

    init(_ revocation: Revocation) {
        self.revocation = revocation
    }

    enum CodingKeys: String, CodingKey {
        case kind
        case subjectID = "subject_id"
        case issuedBefore = "issued_before"
        case expiresAt = "expires_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(revocation.kind, forKey: .kind)
        try container.encode(revocation.subjectID.text, forKey: .subjectID)
        try container.encode(revocation.issuedBefore, forKey: .issuedBefore)
        try container.encode(revocation.expiresAt, forKey: .expiresAt)
    }
}

/// RFC 7662, section 2.2: times are whole seconds since 1970.
private struct IntrospectionView: Encodable {
    let finding: TokenInspection.Finding?

    init(_ finding: TokenInspection.Finding?) {
        self.finding = finding?.isActive == true ? finding : nil
    }

    enum CodingKeys: String, CodingKey {
        case active, iss, aud, sub, sid, jti, iat, exp, amr, roles, scope, username
        case tokenType = "token_type"
        case tenantID = "tenant_id"
        case authTime = "auth_time"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(finding != nil, forKey: .active)
        switch finding {
        case nil: return
        case .access(let claims):
            try container.encode("Bearer", forKey: .tokenType)
            try claims.encode(to: encoder)
        case .refresh(let token, let session):
            try container.encode("refresh_token", forKey: .tokenType)
            try container.encode(session.userID.text, forKey: .sub)
            try container.encode(session.tenantID.text, forKey: .tenantID)
            try container.encode(session.id.text, forKey: .sid)
            try container.encodeIfPresent(session.user.username, forKey: .username)
            try container.encode(session.user.roles, forKey: .roles)
            try container.encode(session.methods, forKey: .amr)
            try container.encode(Int64(session.authenticatedAt.timeIntervalSince1970), forKey: .authTime)
            try container.encode(Int64(session.rotatedAt.timeIntervalSince1970), forKey: .iat)
            try container.encode(Int64(token.expiresAt.timeIntervalSince1970), forKey: .exp)
        }
    }
}
