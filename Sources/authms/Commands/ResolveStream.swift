import ArgumentParser
import AuditService
import ConnectionKit
import Contracts
import Foundation
import LocalStack
import MicroMiddleware

struct ResolveStream: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract:
            "Lets a stream in conflict go on from where its source stands, once somebody knows how it came to that.",
        discussion: """
            A source that was restored to an earlier time is the usual reason. No record is touched; what the source has and
            the trail has not is fetched first. Who did it, why, and where the stream stood is in the trail.

            Elsewhere than on the private stack: --database-url, --service-url, and the shared secret of the services in
            INTERNAL_SECRET.
            """)

    @Argument(help: "The service whose stream it is: identity, session, profile, mfa or audit.")
    var source: EventSource

    @Option(help: "Why, for the audit trail.")
    var reason: String

    @Option(help: "The audit database.")
    var databaseURL: String?

    @Option(help: "Where the service answers.")
    var serviceURL: String?

    func validate() throws {
        guard (3...500).contains(reason.count) else {
            throw ValidationError("--reason must have 3 to 500 characters.")
        }
        guard (databaseURL == nil) == (serviceURL == nil) else {
            throw ValidationError(
                "--database-url and --service-url go together: a stream is compared with its own source.")
        }
    }

    func run() async throws {
        let role = ServiceRole(rawValue: source.rawValue)
        let url = try serviceURL ?? role.map { try Local.existingPlan().layout.url(of: $0) } ?? ""
        let credential = try ServiceCredential(service: "audit", secret: Secret(try secret()))
        let target = source.rawValue
        let origin = RemoteStreamOrigin(
            source: source, client: ServiceClient(target: target, baseURL: url) { try credential.issue(for: target) })
        let resolution = try await AuditStreams.withDatabase(databaseURL) { database in
            do {
                return try await StreamResolver(origin: origin, store: AuditStore(database), database: database)
                    .resolve(
                        reason: reason, by: ProcessInfo.processInfo.userName, deadline: .after(.seconds(300)))
            } catch let error as StreamResolverError {
                throw LocalStackError(.refused, "Nothing was done: \(error).")
            } catch let error as ServiceCallError {
                throw LocalStackError(
                    Self.kind(of: error), "Nothing was done, since \(target) cannot be asked: \(error)")
            }
        }
        Local.say(
            "The stream of \(source.uri) goes on after \(resolution.position); \(resolution.fetched) events were fetched. "
                + "The audit trail says so.")
    }

    /// The shared secret of the services: a suite elsewhere has another than the private stack.
    private func secret() throws -> String {
        if let secret = Local.environment["INTERNAL_SECRET"] { return secret }
        guard serviceURL == nil else {
            throw LocalStackError(.usage, "--service-url needs the services' INTERNAL_SECRET in the environment.")
        }
        return try Local.existingPlan().secrets["internal"]
    }

    private static func kind(of error: ServiceCallError) -> LocalStackError.Kind {
        if case .rejected(_, let status, _) = error { .answered(status) } else { .unavailable }
    }
}

extension EventSource: ExpressibleByArgument {}
