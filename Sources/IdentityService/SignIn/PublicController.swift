import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// What anybody may ask: to register, to sign in, and how a tenant wants that to be done.
struct PublicController: Sendable {
    let registration: Registration
    let signIn: SignIn
    let throttle: Throttle?
    let repository: any IdentityRepository & SecondFactorRepository

    init(
        registration: Registration, signIn: SignIn, throttle: Throttle?,
        repository: any IdentityRepository & SecondFactorRepository
    ) {
        self.registration = registration
        self.signIn = signIn
        self.throttle = throttle
        self.repository = repository
    }

    /// Adds the routes to a group at `api/v1`; to the second argument, which is the same, those that each address has a
    /// budget for.
    func addRoutes(
        to group: some RouterMethods<BaseRequestContext>, budgeted: some RouterMethods<BaseRequestContext>
    ) {
        budgeted.post("auth/register", use: register)
        group.post("auth/login", use: login)
        group.post("public/login-challenge", use: loginChallenge)
        group.get("public/auth-config/default", use: defaultAuthConfig)
        group.get("public/auth-config/:tenant_id", use: authConfig)
    }

    @Sendable private func register(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<RegisterAnswer> {
        let body = try await request.decode(as: RegisterRequest.self, context: context)
        let form = try RegistrationForm(
            email: body.email, username: body.username, phone: body.phone, password: body.password,
            transmission: body.transmission, name: body.name, tenantID: request.tenantID(body: body.tenantID),
            invitationCode: body.invitationCode)
        let user = try await registration.register(form, origin: RequestOrigin(context))
        return Envelope(RegisterAnswer(user), message: "registered", status: .created)
    }

    @Sendable private func login(_ request: Request, context: BaseRequestContext) async throws -> Response {
        let body = try await request.decode(as: LoginRequest.self, context: context)
        let attempt = try SignInAttempt(
            identity: body.identity, password: body.password, transmission: body.transmission,
            tenantID: request.tenantID(body: body.tenantID),
            deviceToken: DeviceCookie.read(request), rememberedDevice: body.rememberedDevice,
            trustedDevice: DeviceCookie.readTrusted(request), proof: body.proof)
        let outcome = try await signIn.signIn(attempt, origin: RequestOrigin(context))
        var response = try Envelope(outcome, message: outcome.message).response(from: request, context: context)
        if let token = throttle?.deviceToken(for: attempt) { DeviceCookie.write(token, to: &response) }
        return response
    }

    @Sendable private func loginChallenge(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<ProofOfWork.Challenge> {
        guard let throttle else { throw APIError(.notFound) }
        return Envelope(throttle.makeChallenge(), status: .created)
    }

    @Sendable private func authConfig(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<AuthConfig> {
        guard let id = context.parameters.get("tenant_id", as: UUID.self) else {
            throw APIError.invalid("tenant_id", "must be a UUID")
        }
        return try await authConfig(of: id, context: context)
    }

    @Sendable private func defaultAuthConfig(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<AuthConfig> {
        try await authConfig(of: DefaultTenant.id, context: context)
    }

    private func authConfig(of id: UUID, context: BaseRequestContext) async throws -> Envelope<AuthConfig> {
        let tenant = try await repository.tenant(id, deadline: context.deadline.forStatement)
        guard let tenant, tenant.status == .active else { throw APIError(.notFound, "There is no such tenant.") }
        let policy = try await repository.mfaPolicy(of: id, deadline: context.deadline.forStatement)
        return Envelope(AuthConfig(tenant, policy), isPrivate: false)
    }
}

// MARK: - Bodies

private struct RegisterRequest: Decodable {
    let email: String?
    let username: String?
    let phone: String?
    let password: String
    let transmission: String?
    let name: String?
    let tenantID: UUID?
    let invitationCode: String?

    enum CodingKeys: String, CodingKey {
        case email, username, phone, password, name
        case transmission = "password_transmission"
        case tenantID = "tenant_id"
        case invitationCode = "invitation_code"
    }
}

struct RegisterAnswer: Encodable, Sendable {
    let userID: String
    let status: String
    let membershipStatus: String
    let message: String

    init(_ user: User) {
        userID = user.id.text
        status = user.status.rawValue
        membershipStatus = user.membership.rawValue
        message = user.membership == .active ? "You can sign in now." : "An administrator has to let you in first."
    }

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case status
        case membershipStatus = "membership_status"
        case message
    }
}

/// `identity`, or one of its aliases.
private struct LoginRequest: Decodable {
    let identity: String
    let password: String
    let tenantID: UUID?
    let transmission: String?
    let proof: ProofOfWork.Proof?
    let rememberedDevice: String?

    enum CodingKeys: String, CodingKey {
        case identity, email, username, phone, password, proof
        case transmission = "password_transmission"
        case tenantID = "tenant_id"
        case rememberedDevice = "device_token"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        var identity: String?
        for key in [CodingKeys.identity, .email, .username, .phone] where identity == nil {
            identity = try container.decodeIfPresent(String.self, forKey: key)
        }
        // Where none is given it is `identity` that is missing.
        self.identity = try identity ?? container.decode(String.self, forKey: .identity)
        password = try container.decode(String.self, forKey: .password)
        tenantID = try container.decodeIfPresent(UUID.self, forKey: .tenantID)
        transmission = try container.decodeIfPresent(String.self, forKey: .transmission)
        proof = try container.decodeIfPresent(ProofOfWork.Proof.self, forKey: .proof)
        rememberedDevice = try container.decodeIfPresent(String.self, forKey: .rememberedDevice)
    }
}

/// How a tenant wants its users to register and sign in.
struct AuthConfig: Encodable, Sendable {
    struct Policy: Encodable, Sendable {
        let passwordTransmission: String
        let minLength: Int
        let maxLength: Int

        enum CodingKeys: String, CodingKey {
            case passwordTransmission = "password_transmission"
            case minLength = "min_length"
            case maxLength = "max_length"
        }
    }

    struct Branding: Encodable, Sendable {}

    let tenantID: String
    let tenantName: String
    let displayName: String
    let membershipApproval: Bool
    let loginMethods: [String]
    let oauthProviders: [String] = []
    let passwordPolicy: Policy
    let captchaEnabled = false
    /// Whether a passkey alone signs in.
    let passkeyEnabled: Bool
    let magicLinkEnabled = false
    let branding = Branding()

    init(_ tenant: Tenant, _ policy: MFAPolicy) {
        passkeyEnabled = policy.allowsPasskeys
        tenantID = tenant.id.text
        tenantName = tenant.name
        displayName = tenant.displayName
        membershipApproval = tenant.membershipApproval
        loginMethods = tenant.loginMethods
        passwordPolicy = Policy(
            passwordTransmission: tenant.passwordPolicy.transmission,
            minLength: tenant.passwordPolicy.minimumLength, maxLength: tenant.passwordPolicy.maximumLength)
    }

    enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case tenantName = "tenant_name"
        case displayName = "display_name"
        case membershipApproval = "membership_approval"
        case loginMethods = "login_methods"
        case oauthProviders = "oauth_providers"
        case passwordPolicy = "password_policy"
        case captchaEnabled = "captcha_enabled"
        case passkeyEnabled = "passkey_enabled"
        case magicLinkEnabled = "magic_link_enabled"
        case branding
    }
}
