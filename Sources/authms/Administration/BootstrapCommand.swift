import ArgumentParser
import Contracts
import Foundation
import LocalStack
import MicroMiddleware
import NIOHTTP1

struct BootstrapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "Makes the first administrator, where there is none: the owner of the default tenant.",
        discussion: """
            Prints a password that is good for one login, which then asks for another. Where there is an owner already it changes
            nothing and ends with 1, so it may be run again. authms up does the same by itself.
            Identity is asked at --url or SERVICES_IDENTITY_URL, with INTERNAL_SECRET; without that secret it is the private stack's.
            Example: docker compose -f docker/compose.yaml run --rm identity bootstrap --email ops@example.org
            """)

    @Option(help: "The administrator's e-mail address.")
    var email = Administrator.firstEmail

    @Option(help: "The identity service's own address, not the gateway's; with INTERNAL_SECRET set.")
    var url: String?

    @Flag(help: "Prints what identity answered, as JSON.")
    var json = false

    func run() async throws {
        let place = try await place()
        let credential = try ServiceCredential(service: Operator.caller, secret: place.secret)
        let identity = AdminClient(gateway: place.url, token: "")
        let answer = try await identity.call(
            .POST, url: "/api/v1/internal/bootstrap", body: BootstrapRequest(email: email),
            headers: ["x-internal-authorization": "Bearer \(try credential.issue(for: "identity"))"])
        let password = answer.data["one_time_password"] as? String
        if json {
            try answer.printJSON()
        } else if let password {
            Local.say("administrator  \(answer.data["email"] as? String ?? email)")
            Local.say("password       \(password)   good for one login, which asks for another")
        }
        guard password != nil else {
            let sentence = "authms: The default tenant has an owner already; nothing was changed.\n"
            FileHandle.standardError.write(Data(sentence.utf8))
            throw ExitCode(1)
        }
    }

    /// Where identity is, and what proves that its operator asks: as the services of the same place have it.
    private func place() async throws -> (url: String, secret: Secret<String>) {
        let settings = try await ServiceSettings.load(service: "identity", environment: Local.environment)
        guard let secret = try settings.valueIfPresent(.internalSecret) else {
            guard url == nil else {
                throw LocalStackError(.usage, "--url needs the services' INTERNAL_SECRET in the environment.")
            }
            let plan = try Local.existingPlan()
            return (plan.layout.url(of: .identity), Secret(plan.secrets["internal"]))
        }
        // Any replica will do.
        let bases = ServiceClient.bases(of: try url ?? settings.value(.identityURL))
        guard let first = bases.first else { throw LocalStackError(.usage, "--url is empty.") }
        return (first.hasSuffix("/") ? String(first.dropLast()) : first, secret)
    }
}
