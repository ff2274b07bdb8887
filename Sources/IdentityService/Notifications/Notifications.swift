import ConnectionKit
package import Contracts
package import Foundation
package import Logging
package import Mail
package import MicroMiddleware

/// Sends the mails that events call for. It runs inside the identity service, which alone knows addresses: events name
/// users and invitations by id.
///
/// An event may come twice; the mail goes once, unless the process ends between sending it and noting that. Then the same
/// mail, with the same code, goes again.
package struct Notifications: Sendable {
    let repository: any IdentityRepository
    let codes: any CodeRepository
    let emailChanges: any EmailChangeRepository
    let deletions: any DeletionRepository
    let invitations: any InvitationRepository
    let oneTime: OneTimeCodes
    let invitationCodes: InvitationCodes
    let templates: MailTemplates
    let transport: any MailTransport
    let addresses: CountedAddresses
    let sent: MetricCounter
    let failed: MetricCounter
    let logger: Logger
    let now: @Sendable () -> Date

    package init(
        repository: any IdentityRepository, codes: any CodeRepository & EmailChangeRepository,
        deletions: any DeletionRepository, invitations: any InvitationRepository, oneTime: OneTimeCodes,
        invitationCodes: InvitationCodes, templates: MailTemplates, transport: any MailTransport,
        addresses: CountedAddresses = CountedAddresses(trusted: []),
        metrics: MetricsRegistry, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codes = codes
        emailChanges = codes
        self.deletions = deletions
        self.invitations = invitations
        self.oneTime = oneTime
        self.invitationCodes = invitationCodes
        self.templates = templates
        self.transport = transport
        self.addresses = addresses
        self.logger = logger
        self.now = now
        sent = metrics.counter("authms_mails_sent_total", help: "Mails that a server or the disk has taken.")
        failed = metrics.counter("authms_mails_failed_total", help: "Attempts to send a mail that failed.")
    }

    /// How long one mail may take.
    private static let mailTimeout = Duration.seconds(15)
    /// News that is older than this is none.
    private static let staleAfter: TimeInterval = 3 * 86_400

    /// What it means for an event that its mail has not left: with no server to take mails all of them wait, what is refused
    /// for now is tried again later, and what is refused for good never.
    package static func failure(_ error: MailError) -> EventFailure {
        error.isOutage ? .outage : error.isPermanent ? .permanent : .passing
    }

    package func handle(_ events: [CloudEvent]) async throws {
        for event in events { try await handle(event.event) }
    }

    package func handle(_ event: DomainEvent) async throws {
        guard let user = UUID(uuidString: event.subject), user != .zero else { return }
        guard now().timeIntervalSince(event.time.date) < Self.staleAfter else { return }
        switch event.type {
        case .passwordResetRequested: try await sendCode(.passwordReset, to: user, for: event)
        case .emailVerificationRequested, .userRegistered:
            try await sendCode(.emailVerification, to: user, for: event)
        case .passwordChanged, .passwordReset: try await notify(.passwordChanged, user, of: event)
        case .emailChangeRequested: try await sendCode(.emailChange, to: user, for: event)
        case .emailChanged: try await tellOldAddress(user, of: event)
        case .userDeleted: try await sayGoodbye(user, of: event)
        case .exportReady: try await notify(.exportReady, user, of: event)
        case .userLocked: try await notify(.accountLocked, user, of: event)
        case .userUnlocked: try await notify(.accountUnlocked, user, of: event)
        case .deviceNew: try await notify(.newDevice, user, of: event)
        case .registrationRepeated: try await notify(.alreadyRegistered, user, of: event)
        case .invitationCreated: try await invite(user, for: event)
        default:
            guard let change = Self.changes[event.type] else { return }
            try await notify(.mfaChanged, user, of: event, with: ["change": change])
        }
    }

    /// What happened to somebody's second factors, as a mail says it.
    private static let changes: [EventType: String] = [
        .totpEnabled: "one-time passwords were turned on", .totpDisabled: "one-time passwords were turned off",
        .passkeyRegistered: "a passkey was added", .passkeyRemoved: "a passkey was removed",
        .passkeySuspected: "a passkey was refused, because it may have been copied",
        .recoveryCodesGenerated: "new recovery codes were made", .recoveryCodeUsed: "a recovery code was used",
        .mfaReset: "an administrator removed all second factors",
    ]

    // MARK: - Codes

    private func sendCode(_ purpose: CodePurpose, to user: UUID, for event: DomainEvent) async throws {
        let expiry = event.time.date + purpose.lifetime
        // It could not be used any more: whoever still wants one has asked again.
        guard now() < expiry else { return }
        let deadline = Deadline.after(.seconds(5))
        let kind = MailKind(purpose)
        guard try await !isEnough(kind, to: user, for: event, deadline) else { return }
        let detail = try StrictJSON.decode(EventDetail.self, from: Array(event.data.utf8))
        let new = NewCode(
            id: event.id, userID: user, tenantID: event.tenantID, purpose: purpose, salt: OneTimeCodes.salt(),
            expiresAt: expiry, askedFrom: addresses.network(of: detail.ip))
        let stored =
            purpose == .emailChange
            ? try await emailChanges.issueEmailChange(new, deadline: deadline)
            : try await codes.issue(new, deadline: deadline)
        guard let stored else { return }
        let values = [
            "tenant": try await tenantName(event.tenantID, deadline),
            "code": oneTime.code(id: stored.id, salt: stored.salt, purpose: purpose),
            "minutes": "\(Int(purpose.lifetime / 60))", "hours": "\(Int(purpose.lifetime / 3_600))",
        ]
        try await send(kind, values, to: stored.target, of: user, for: event)
    }

    // MARK: - News

    private func notify(
        _ kind: MailKind, _ user: UUID, of event: DomainEvent, with more: [String: String] = [:]
    ) async throws {
        let deadline = Deadline.after(.seconds(5))
        guard try await !isEnough(kind, to: user, for: event, deadline) else { return }
        guard
            let account = try await repository.account(user, tenantID: event.tenantID, deadline: deadline),
            account.user.status == .active, let address = account.user.email, Self.isWanted(kind, by: account)
        else { return }
        let detail = try StrictJSON.decode(EventDetail.self, from: Array(event.data.utf8))
        var values = ["tenant": account.tenant.displayName, "time": Self.time(event.time.date)]
        values["ip"] = detail.ip
        values["device"] = detail.details?["device"]
        values.merge(more) { _, new in new }
        try await send(kind, values, to: address, of: user, for: event)
    }

    /// Signing in anew is something that anybody can do as often as they like with an account that they registered under
    /// somebody else's address. Whoever reads there has not asked for it until the address is verified.
    private static func isWanted(_ kind: MailKind, by account: Account) -> Bool {
        kind != .newDevice || account.user.emailVerifiedAt != nil && account.tenant.mailsNewDevices
    }

    /// The one mail that does not go to the user's address.
    private func tellOldAddress(_ user: UUID, of event: DomainEvent) async throws {
        let deadline = Deadline.after(.seconds(5))
        let detail = try StrictJSON.decode(EventDetail.self, from: Array(event.data.utf8))
        guard let change = detail.details?["change"].flatMap(UUID.init(uuidString:)),
            try await !isEnough(.emailChanged, to: user, for: event, deadline),
            let address = try await emailChanges.replacedEmail(change, deadline: deadline)
        else { return }
        let values = ["tenant": try await tenantName(event.tenantID, deadline), "time": Self.time(event.time.date)]
        try await send(.emailChanged, values, to: address, of: user, for: event)
    }

    /// To the address that was kept for this mail alone.
    private func sayGoodbye(_ user: UUID, of event: DomainEvent) async throws {
        let deadline = Deadline.after(.seconds(5))
        guard let address = try await deletions.takeLastAddress(of: user, forget: false, deadline: deadline) else {
            return
        }
        if try await !isEnough(.accountDeleted, to: user, for: event, deadline) {
            let values = ["tenant": try await tenantName(event.tenantID, deadline), "time": Self.time(event.time.date)]
            try await send(.accountDeleted, values, to: address, of: user, for: event)
        }
        _ = try await deletions.takeLastAddress(of: user, forget: true, deadline: deadline)
    }

    func isEnough(
        _ kind: MailKind, to user: UUID, for event: DomainEvent, _ deadline: Deadline
    ) async throws -> Bool {
        try await codes.isSent(event.id, to: user, kind: kind, hourlyLimit: kind.hourlyLimit, deadline: deadline)
    }

    private func tenantName(_ id: UUID, _ deadline: Deadline) async throws -> String {
        try await repository.tenant(id, deadline: deadline)?.displayName ?? "authms"
    }

    func send(
        _ kind: MailKind, _ values: [String: String], to address: String, of user: UUID, for event: DomainEvent
    ) async throws {
        let rendered = templates.render(kind, values)
        let message = MailMessage(
            recipient: address, subject: rendered.subject, plainText: rendered.plainText, html: rendered.html,
            id: event.id, date: now())
        do {
            try await transport.send(message, deadline: .after(Self.mailTimeout))
        } catch {
            failed.increment()
            throw error
        }
        sent.increment()
        try await codes.markSent(event.id, to: user, kind: kind, deadline: .after(.seconds(5)))
    }

    /// `Thursday, 26 November 2026, 00:21 UTC`, without a locale's surprises.
    static func time(_ date: Date) -> String {
        let format = Date.VerbatimFormatStyle(
            format: """
                \(weekday: .wide), \(day: .defaultDigits) \(month: .wide) \(year: .defaultDigits), \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits) UTC
                """,
            locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
        return date.formatted(format)
    }
}
