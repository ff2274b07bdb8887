import ConnectionKit
import Contracts
import Foundation
import Hummingbird
import Logging
import MicroMiddleware

// A whole service in one file, to be imitated: composition root, controller, wire types, domain error.

/// The composition root: everything is made here and handed down through initialisers.
func buildWalletService(
    settings: ServiceSettings, telemetry: Telemetry, verify: @escaping AuthenticationMiddleware.Verify,
    verifyService: @escaping InternalCredentialMiddleware.Verify, wallets: WalletStore = WalletStore(),
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) throws -> ServiceApplication {
    let health = HealthRegistry()
    health.register("wallets", .required) { deadline in try await wallets.ping(deadline: deadline) }

    let router = try Router.service(telemetry, settings: settings)
    let controller = WalletController(wallets: wallets)
    let api = router.group("api/v1")
    controller.addPublicRoutes(to: api.group("public"))
    controller.addRoutes(to: api.authenticated("wallets", verify: verify))
    controller.addAdminRoutes(to: api.authenticated("admin/wallets", verify: verify).requiring(.usersRead))
    controller.addInternalRoutes(to: api.internalOnly("internal/wallets", verify: verifyService))

    return ServiceApplication(
        name: "wallet", settings: settings, telemetry: telemetry, router: router, services: [], health: health,
        onListening: onListening)
}

/// Routes and wire types; what a handler may rely on is in the type of its context.
struct WalletController {
    let wallets: WalletStore

    func addPublicRoutes(to group: RouterGroup<BaseRequestContext>) {
        group.get("currencies") { _, _ in
            Envelope(["EUR", "USD"], isPrivate: false)
        }
    }

    func addRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group
            .get("mine", use: mine)
            .post("deposits", use: deposit)
    }

    func addAdminRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get { request, _ in
            let page = try Page(request)
            return ListEnvelope(await wallets.owners(page), total: await wallets.count, page: page)
        }
    }

    func addInternalRoutes(to group: RouterGroup<InternalRequestContext>) {
        group.get("caller") { request, context in
            Envelope([
                "caller": context.caller, "request_id": context.requestID, "trace": context.scope.trace.traceID,
                "deadline": request.headers[.requestDeadline] ?? "",
            ])
        }
    }

    private func mine(_ request: Request, _ context: AuthenticatedRequestContext) async throws -> Envelope<Balance> {
        let cents = try await wallets.balance(of: context.identity.subject, deadline: context.deadline)
        return Envelope(Balance(owner: context.identity.subject, cents: cents))
    }

    private func deposit(_ request: Request, _ context: AuthenticatedRequestContext) async throws -> Envelope<Balance> {
        let deposit = try await request.decode(as: Deposit.self, context: context)
        guard deposit.cents > 0 else { throw APIError.invalid("cents", "must be positive") }
        let cents = await wallets.add(deposit.cents, to: context.identity.subject)
        return Envelope(
            Balance(owner: context.identity.subject, cents: cents), message: "deposited", status: .created)
    }
}

/// The request of `POST /wallets/deposits`. A wire type names its JSON fields itself, in snake case.
struct Deposit: Decodable {
    let cents: Int
    let bookedAt: Date?
    let origin: Origin?
    let tags: [String]?

    struct Origin: Decodable {
        let bankCode: String

        private enum CodingKeys: String, CodingKey {
            case bankCode = "bank_code"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case cents, origin, tags
        case bookedAt = "booked_at"
    }
}

struct Balance: Codable, Sendable {
    let owner: UUID
    let cents: Int
}

/// The rules of the domain have errors of their own; what HTTP makes of them is said in one place.
enum WalletError: Error {
    case frozen
    case leaky(String)
}

extension WalletError: APIErrorConvertible {
    var apiError: APIError {
        switch self {
        case .frozen: APIError(.permissionDenied, "This wallet is frozen.")
        case .leaky: APIError(.internal)
        }
    }
}

actor WalletStore {
    private var balances: [UUID: Int] = [:]
    /// What a request for this balance meets instead of an answer.
    private var failure: (any Error)?

    var count: Int { balances.count }

    func fail(with error: (any Error)?) { failure = error }

    func ping(deadline: Deadline) throws {
        if let failure { throw failure }
    }

    func balance(of owner: UUID, deadline: Deadline) throws -> Int {
        if let failure { throw failure }
        return balances[owner] ?? 0
    }

    func add(_ cents: Int, to owner: UUID) -> Int {
        balances[owner, default: 0] += cents
        return balances[owner] ?? 0
    }

    func owners(_ page: Page) -> [UUID] {
        Array(balances.keys.sorted { $0.uuidString < $1.uuidString }.dropFirst(page.offset).prefix(page.size))
    }
}
