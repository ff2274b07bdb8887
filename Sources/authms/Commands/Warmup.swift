import ArgumentParser
import Foundation
import LocalStack
import MicroMiddleware
import Recovery

struct Warmup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "How traffic comes back after a service has lost its cache, or its database was restored.",
        discussion: """
            identity, session and profile begin by themselves: 20 % of the users for five minutes, 50 % until minute 15, then all,
            as fast as the database bears it. The others get 503002 with Retry-After.
            Examples:
              authms warmup status --html warmup.html
              authms warmup start identity --reason "restored to 02:14:59"
            """,
        subcommands: [Status.self, Start.self, Skip.self], defaultSubcommand: Status.self)

    /// Which services, and where.
    struct Place: ParsableArguments {
        @Argument(help: "identity, session or profile; all of them by default.")
        var service: ServiceRole?

        @Option(help: "The service's address, if it is not of this machine's private stack; with INTERNAL_SECRET set.")
        var url: String?

        var services: [ServiceRole] { service.map { [$0] } ?? WarmupClient.services }
        func client() throws -> WarmupClient { try WarmupClient(service: service, url: url) }
    }

    static var operatorName: String { ProcessInfo.processInfo.userName }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Admitted share, hit rate and database load over the last ten minutes.")

        @OptionGroup var place: Place
        @Flag(help: "Prints it as JSON.")
        var json = false
        @Option(help: "Where to write it as a page with plots.")
        var html: String?

        func run() async throws {
            let client = try place.client()
            var reports: [WarmupReport] = []
            for service in place.services { reports.append(try await client.report(of: service)) }
            if json {
                Local.say(String(decoding: try StrictJSON.encode(reports), as: UTF8.self))
            } else {
                for line in reports.flatMap({ WarmupView(report: $0).lines }) { Local.say(line) }
            }
            guard let html else { return }
            let page = PlotPage("authms: warm-up", groups: reports.map { WarmupView(report: $0).group })
            do {
                try Data(page.html.utf8).write(to: URL(filePath: html))
            } catch {
                throw LocalStackError(.storage, "The page cannot be written: \(error.localizedDescription)")
            }
        }
    }

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begins to warm up. Who did it and why is in the audit trail.")

        @OptionGroup var place: Place
        @Option(help: "Why, for the audit trail.")
        var reason = "ordered by the operator"

        func validate() throws {
            guard (1...200).contains(reason.count) else {
                throw ValidationError("--reason must have 1 to 200 characters.")
            }
        }

        func run() async throws {
            let client = try place.client()
            for service in place.services {
                let answer = try await client.order(
                    "start", WarmupOrder(by: operatorName, reason: reason), of: service)
                Local.say("\(service.rawValue): \(answer.message), \(answer.report.share) % of the users are admitted")
            }
        }
    }

    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Admits everybody at once. Who did it is in the audit trail.")

        @OptionGroup var place: Place

        func run() async throws {
            let client = try place.client()
            for service in place.services {
                let answer = try await client.order("skip", WarmupOrder(by: operatorName), of: service)
                Local.say("\(service.rawValue): \(answer.message)")
            }
        }
    }
}
