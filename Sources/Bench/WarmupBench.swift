import AsyncHTTPClient
import ConnectionKit
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import NIOCore
import NIOHTTP1
package import Recovery
import Redis

/// The cache is emptied and the services are restarted under several times the usual load: once with the ramp, once without.
///
/// Both on suites of their own, with stages of seconds. What it shows is what users were answered, and how long the databases'
/// statements took, by their own clock.
package struct WarmupBench: Sendable {
    /// How many times the usual load the promise is for.
    package static let promisedLoad = 3
    static let services: [ServiceRole] = [.identity, .session]
    /// How long the load runs before the loss, the first part of it to fill the cache.
    private static let before = Duration.seconds(25)
    static let after = Duration.seconds(40)
    static let goal = 2.0
    /// Of how many seconds the statements are taken together, before the loss and after it: as long as a stage of the ramp. With
    /// less, a machine that stalls for a quarter of a second is a twentieth of the statements, and the p95 is that of the stall.
    static let window = 10.0
    /// A steady state below this counts as this: of a statement that takes less than a millisecond, one that waits for the
    /// processor once is twice as slow, whatever the cache does. (The ramp itself lets the database be up to
    /// `WARMUP_STEADY_FLOOR`, which is more.)
    static let floor_ms = 1.0
    private static let settings = [
        "WARMUP_FIRST_STAGE": "10s", "WARMUP_SECOND_STAGE": "10s", "WARMUP_WATCH": "5s", "WARMUP_PATIENCE": "5s",
        "CACHE_HOT_KEYS_INTERVAL": "2s", "WARMUP_MINIMUM_HITS": "1",
    ]

    private let executable: String
    private let repository: String
    let load: Int
    private let narrate: @Sendable (String) -> Void

    /// - Parameters:
    ///   - load: how many times the usual load is sent.
    ///   - narrate: is told what is measured next.
    package init(
        executable: String, repository: String, load: Int, narrate: @escaping @Sendable (String) -> Void
    ) {
        self.executable = executable
        self.repository = repository
        self.load = load
        self.narrate = narrate
    }

    /// What one of the two runs came to.
    package struct Run {
        let name: String
        /// When the cache was emptied and when the services were ready again, in seconds since the load began.
        package var lostAt = 0.0
        package var readyAt = 0.0
        package var samples: [Sample] = []
        var lostSessions = 0
        var acceptedTokens = 0
        /// By service, seconds since the load began.
        var looks: [ServiceRole: [(x: Double, sample: WarmupSample)]] = [:]
        var databases: [ServiceRole: DatabaseLog] = [:]

        package init(name: String) { self.name = name }
    }

    /// - Returns: the figures, and a page with both runs plotted.
    package func run() async throws -> (results: [BenchResult], page: PlotPage) {
        let with = try await measure("with the ramp", Self.settings)
        let without = try await measure(
            "without", Self.settings.merging(["WARMUP_AUTOMATIC": "false"]) { $1 })
        return (results(with, without), page([with, without]))
    }

    private func measure(_ name: String, _ settings: [String: String]) async throws -> Run {
        narrate("A suite \(name)")
        let suite = try await BenchSuite.start(executable: executable, repository: repository, settings: settings)
        do {
            let run = try await measure(Run(name: name), suite)
            await suite.stop()
            return run
        } catch {
            await suite.stop()
            throw error
        }
    }

    private func measure(_ empty: Run, _ suite: BenchSuite) async throws -> Run {
        var run = empty
        let plan = StackPlan(
            layout: suite.layout, secrets: try StackSecrets.load(in: suite.layout), executable: executable,
            settings: [:])
        // The mix that the promise names, and no more.
        let load = MixedLoad(
            gateway: suite.layout.url(of: .gateway), factor: self.load,
            capabilities: Capability.sent.filter { $0 != .profile })
        narrate("Making users and sessions")
        try await load.prepare(users: 50 * self.load, sessions: 150 * self.load)
        for service in Self.services {
            if let database = plan.databases[service] { try await DatabaseLog.begin(database) }
        }
        let begin = Date().addingTimeInterval(-load.elapsed)
        narrate("Load until the cache is full, the loss, and \(Self.after.components.seconds) s after it")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.run() }
            defer { load.stop() }
            try await Task.sleep(for: Self.before)
            // What the processes know of the time before is gone with them.
            try await look(plan, begin, &run)
            run.lostAt = load.elapsed
            try await lose(plan)
            run.readyAt = load.elapsed
            try await Task.sleep(for: Self.after)
            try await look(plan, begin, &run)
        }
        for service in Self.services {
            guard let database = plan.databases[service] else { continue }
            run.databases[service] = try DatabaseLog(path: database.logFile, since: begin)
        }
        run.samples = load.ledger.samples
        run.lostSessions = load.ledger.lost.count
        run.acceptedTokens = load.ledger.accepted.count
        await load.close()
        return run
    }

    /// Empties Redis and restarts the services that cache, at the same moment.
    private func lose(_ plan: StackPlan) async throws {
        let control = ControlClient(layout: plan.layout)
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: plan.redis.url), logger: Logger(label: "bench"))
        try await redis.send("FLUSHALL", deadline: .after(.seconds(5)))
        await redis.close()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in WarmupBench.services {
                group.addTask { try await control.perform(.restart, on: service.rawValue) }
            }
            try await group.waitForAll()
        }
        let deadline = Deadline.after(.seconds(30))
        while try await !control.status().isReady {
            guard !deadline.hasPassed else { throw BenchFailure(description: "the services did not come back") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func look(_ plan: StackPlan, _ begin: Date, _ run: inout Run) async throws {
        struct Answer: Decodable { let data: WarmupReport }
        let credential = try ServiceCredential(service: "operator", secret: Secret(plan.secrets["internal"]))
        for service in Self.services {
            var request = HTTPClientRequest(url: "\(plan.layout.url(of: service))/api/v1/internal/warmup")
            request.headers.add(
                name: "x-internal-authorization", value: "Bearer \(try credential.issue(for: service.rawValue))")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 1 << 20)
            let report = try StrictJSON.decode(Answer.self, from: Array(body.readableBytesView)).data
            run.looks[service, default: []] += report.history.map { ($0.at.timeIntervalSince(begin), $0) }
        }
    }
}
