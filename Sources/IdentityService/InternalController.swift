import Contracts
import Hummingbird
import MicroMiddleware

/// What only this machine's operator and other services ask.
struct InternalController: Sendable {
    let bootstrap: Bootstrap

    init(bootstrap: Bootstrap) {
        self.bootstrap = bootstrap
    }

    /// Adds the routes to a group at `api/v1/internal`.
    func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.post("bootstrap", use: createOwner)
    }

    @Sendable private func createOwner(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<BootstrapAnswer> {
        let body = try await request.decode(as: BootstrapRequest.self, context: context)
        let answer = try await bootstrap.createOwner(body, origin: RequestOrigin(context))
        return Envelope(
            answer, message: answer.created ? "created" : "there is an owner already",
            status: answer.created ? .created : .ok)
    }
}
