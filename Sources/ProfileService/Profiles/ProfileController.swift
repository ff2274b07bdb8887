import ConnectionKit
import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// What users do with their own profile, and what they see of others'.
struct ProfileController: Sendable {
    let repository: any ProfileRepository
    let profiles: CachedProfiles
    let now: @Sendable () -> Date

    init(
        repository: any ProfileRepository, profiles: CachedProfiles, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.profiles = profiles
        self.now = now
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.group("profiles/:user_id")
            .get { try await show($0, $1, Self.fields) }
            .put(use: update)
            .delete(use: delete)
            .get("preferences") { try await show($0, $1, Self.preferences) }
            .put("preferences", use: updatePreferences)
            .get("privacy") { try await show($0, $1, Self.privacy) }
            .put("privacy", use: updatePrivacy)
            .get("public", use: visible)
            .get("export", use: export)
        group.requiring(.profilesRead).get("admin/profiles", use: search)
    }

    // MARK: - Reading

    @Sendable private func show(
        _ request: Request, _ context: AuthenticatedRequestContext, _ view: @Sendable (Profile) -> ProfileView
    ) async throws -> Response {
        try answer(try await own(context), view, request, context)
    }

    @Sendable private func visible(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ProfileView> {
        guard let id = context.parameters.get("user_id", as: UUID.self),
            let profile = try await profiles.profile(
                of: id, tenantID: context.identity.tenantID, for: context.identity.subject,
                deadline: context.deadline.forStatement),
            !profile.fields.isEmpty
        else { throw ProfileError.unknown }
        return Envelope(ProfileView(userID: id.text, fields: profile.visibleFields))
    }

    @Sendable private func export(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Response {
        let everything: @Sendable (Profile) -> ProfileView = {
            var view = Self.fields($0)
            view.preferences = $0.preferences
            view.privacy = Self.privacy($0).privacy
            return view
        }
        var response = try answer(try await own(context), everything, request, context)
        response.headers[.contentDisposition] = "attachment; filename=\"profile.json\""
        return response
    }

    @Sendable private func search(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<ProfileView> {
        let page = try Page(request)
        let text = request.uri.queryParameters["q"].map(String.init) ?? ""
        guard text.count <= 100, !text.utf8.contains(0) else {
            throw APIError.invalid("q", "must be a text of at most 100 characters")
        }
        let found = try await repository.search(
            text, tenantID: context.identity.tenantID, offset: page.offset, limit: page.size,
            deadline: context.deadline.forStatement)
        return ListEnvelope(
            found.profiles.map(Self.fields), total: found.total, countedUpTo: page.countBound, page: page)
    }

    // MARK: - Writing

    @Sendable private func update(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        _ = try Self.ownID(context)
        let changes = try await request.decode(as: FieldChanges.self, context: context)
        try changes.validate(now: now())
        try await validateCustomFields(changes, context)
        let profile = try await change(.profileUpdated, changes.names, request, context) { changes.apply(to: &$0) }
        return try answer(profile, Self.fields, request, context)
    }

    @Sendable private func updatePreferences(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Response {
        _ = try Self.ownID(context)
        let changes = try await request.decode(as: PreferenceChanges.self, context: context)
        let profile = try await change(.profileUpdated, "preferences", request, context) { try changes.apply(to: &$0) }
        return try answer(profile, Self.preferences, request, context)
    }

    @Sendable private func updatePrivacy(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Response {
        _ = try Self.ownID(context)
        let changes = try await request.decode(as: PrivacyChanges.self, context: context)
        let profile = try await change(.profileUpdated, "privacy", request, context) {
            $0.privacy.merge(changes.values) { _, new in new }
        }
        return try answer(profile, Self.privacy, request, context)
    }

    @Sendable private func delete(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        let profile = try await change(.profileDeleted, "all", request, context) { $0.erase() }
        return try answer(profile, Self.fields, request, context)
    }

    // MARK: - Parts

    /// The caller's own profile; anybody else's is unknown to them here.
    private func own(_ context: AuthenticatedRequestContext) async throws -> Profile {
        let (identity, id) = (context.identity, try Self.ownID(context))
        return try await profiles.profile(
            of: id, tenantID: identity.tenantID, for: id, deadline: context.deadline.forStatement)
            ?? Profile(userID: id, tenantID: identity.tenantID)
    }

    private func change(
        _ type: EventType, _ names: String, _ request: Request, _ context: AuthenticatedRequestContext,
        _ change: @Sendable (inout Profile) throws -> Void
    ) async throws -> Profile {
        try await profiles.change(
            try Self.ownID(context), tenantID: context.identity.tenantID,
            expected: try EntityTag.expectedVersion(request), event: try Self.event(type, names, at: now(), context),
            deadline: context.deadline.forStatement, change)
    }

    /// Where the tenant has said what its custom fields are, they are as it says.
    private func validateCustomFields(_ changes: FieldChanges, _ context: AuthenticatedRequestContext) async throws {
        let values: [String: Scalar]
        if case .map(let given)? = changes.values[.customFields] {
            values = given
        } else if changes.cleared.contains(.customFields) {
            values = [:]
        } else {
            return
        }
        let schema = try await repository.customFields(
            of: context.identity.tenantID, deadline: context.deadline.forStatement)
        let violations = schema?.violations(values) ?? []
        guard violations.isEmpty else { throw ProfileError.invalid(violations) }
    }

    /// What a user did to their own profile.
    static func event(
        _ type: EventType, _ names: String, at time: Date, _ context: AuthenticatedRequestContext
    ) throws -> DomainEvent {
        let identity = context.identity
        return try DomainEvent(
            type: type, subject: identity.subject.text, tenantID: identity.tenantID, time: time,
            data: EventDetail(
                actorID: identity.subject, actorType: "user", sessionID: identity.sessionID,
                ip: context.clientAddress, userAgent: context.userAgent, requestID: context.requestID,
                status: .success, details: ["fields": names]))
    }

    private func answer(
        _ profile: Profile, _ view: @Sendable (Profile) -> ProfileView, _ request: Request,
        _ context: AuthenticatedRequestContext
    ) throws -> Response {
        var response = try Envelope(view(profile)).response(from: request, context: context)
        response.headers[.eTag] = EntityTag.text(profile.version)
        return response
    }

    static func ownID(_ context: AuthenticatedRequestContext) throws -> UUID {
        guard let id = context.parameters.get("user_id", as: UUID.self), id == context.identity.subject else {
            throw ProfileError.unknown
        }
        return id
    }
}

extension Deadline {
    /// One statement or short transaction: a dead database is admitted within a second.
    var forStatement: Deadline { capped(at: .milliseconds(900)) }
}
