import Foundation

/// Refreshes through the gateway with everything running, beside pgbench doing the same update and outbox insert in one
/// statement on the same cluster.
package struct RefreshBench: Sendable {
    /// The least ratio to pgbench.
    package static let goal = 0.12

    private static let rounds = 4
    private static let secondsEach = 5
    private static let connections = 32

    private let target: BenchTarget

    package init(target: BenchTarget) {
        self.target = target
    }

    package func run() async throws -> [BenchResult] {
        let files = FileManager.default.temporaryDirectory.appending(path: "authms-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: files) }
        try await prepareTable()
        let tokens = files.appending(path: "tokens")
        let statement = files.appending(path: "statement.sql")
        try Data(Self.statement.utf8).write(to: statement)

        var ours = Samples()
        var bare = Samples()
        var latency = Samples()
        let addresses = try await target.register(4)
        for _ in 0..<Self.rounds {
            try await write(tokens: 4 * Self.connections, of: addresses, to: tokens)
            bare.append(try await pgbench(statement))
            let report = try await Wrk(
                url: target.gateway + "/identity/api/v1/auth/refresh", connections: Self.connections,
                seconds: Self.secondsEach, script: Self.script, arguments: [tokens.path]
            ).run()
            guard report.refused == 0, report.failed == 0 else {
                throw BenchFailure(description: "\(report.refused) refreshes were refused and \(report.failed) failed")
            }
            ours.append(report.perSecond)
            latency.append(report.p99_ms)
        }
        try await psql("DROP TABLE IF EXISTS bench_session, bench_outbox")
        let ratio = ours.median / bare.median
        return [
            BenchResult(
                name: "Refresh through the gateway, everything running", value: ours.median, unit: "1/s", ratio: ratio,
                goal: "≥ \(Self.goal) × pgbench, the same update and insert", passes: ratio >= Self.goal),
            BenchResult(name: "Refresh, p99 at \(Self.connections) connections", value: latency.median, unit: "ms"),
            BenchResult(name: "pgbench, update and outbox insert in one statement", value: bare.median, unit: "1/s"),
        ]
    }

    private func write(tokens count: Int, of addresses: [String], to file: URL) async throws {
        var tokens: [String] = []
        for index in 0..<count {
            tokens.append(try await target.refreshToken(of: addresses[index % addresses.count]))
        }
        try Data(tokens.joined(separator: "\n").utf8).write(to: file)
    }

    private func pgbench(_ statement: URL) async throws -> Double {
        let output = try await Program.output(
            of: .pgbench,
            [
                "--no-vacuum", "--protocol=prepared", "--client=16", "--jobs=2", "--time=\(Self.secondsEach)",
                "--file=\(statement.path)", target.sessionDatabase,
            ])
        guard let line = output.split(separator: "\n").first(where: { $0.hasPrefix("tps = ") }),
            let rate = Double(line.dropFirst(6).prefix { $0 != " " })
        else { throw BenchFailure(description: "pgbench printed no rate: \(output.suffix(300))") }
        return rate
    }

    private func prepareTable() async throws {
        try await psql(
            """
            DROP TABLE IF EXISTS bench_session, bench_outbox;
            CREATE TABLE bench_session (id int PRIMARY KEY, generation int NOT NULL, rotated_at timestamptz NOT NULL,
                claims jsonb NOT NULL);
            INSERT INTO bench_session SELECT n, 0, now(), '{"roles":["member"]}' FROM generate_series(1, 10000) AS n;
            CREATE TABLE bench_outbox (ordinal bigserial PRIMARY KEY, id uuid NOT NULL, type text NOT NULL,
                subject text NOT NULL, created_at timestamptz NOT NULL, data text NOT NULL)
            """)
    }

    private func psql(_ statements: String) async throws {
        _ = try await Program.output(
            of: .psql,
            ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--command", statements, target.sessionDatabase])
    }

    private static let statement = """
        \\set id random(1, 10000)
        WITH rotated AS (UPDATE bench_session SET generation = generation + 1, rotated_at = now() WHERE id = :id
        RETURNING id, generation) INSERT INTO bench_outbox (id, type, subject, created_at, data)
        SELECT gen_random_uuid(), 'session.refreshed', id::text, now(), '{"generation":' || generation || '}' FROM rotated;
        """

    /// Each connection uses a token once and puts its successor at the end of the queue.
    private static let script = #"""
        local tokens, head, tail = {}, 1, 0
        local headers = { ["Content-Type"] = "application/json" }

        function init(args)
            for line in io.lines(args[1]) do
                tail = tail + 1
                tokens[tail] = line
            end
        end

        function request()
            local token = tokens[head]
            tokens[head] = nil
            head = head + 1
            return wrk.format("POST", nil, headers, '{"refresh_token":"' .. token .. '"}')
        end

        function response(status, headers, body)
            local token = body:match('"refresh_token":"([^"]+)"')
            if token then
                tail = tail + 1
                tokens[tail] = token
            end
        end
        """#
}
