package import ConnectionKit
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A private PostgreSQL cluster: one directory, one port, TCP on 127.0.0.1 only (a Unix socket's path would limit how
/// deep a checkout may lie), passwords by SCRAM.
package struct PostgresServer: LocalServer {
    /// A database with the role that owns it and, where what works in it should own nothing, a second one.
    package struct Database: Sendable {
        package let name: String
        package let role: String
        package let password: String
        /// May open the database; what it may do there the owner says.
        package let serviceRole: Login?

        package struct Login: Sendable {
            package let name: String
            package let password: String

            package init(name: String, password: String) {
                self.name = name
                self.password = password
            }
        }

        package init(name: String, role: String, password: String, serviceRole: Login? = nil) {
            self.name = name
            self.role = role
            self.password = password
            self.serviceRole = serviceRole
        }
    }

    package let name: String
    /// Holds `data/`, its configuration and the marker of a finished initialisation.
    package let directory: String
    package let port: Int
    package let logFile: String
    /// The superuser's name is `postgres`.
    package let superuserPassword: String
    /// Made with the cluster; to an existing one only the service roles are added that it does not have yet.
    package let databases: [Database]
    /// Settings over the ones that every private cluster has.
    package let settings: [String: String]

    package let question = Probe.Question.postgres
    package let startTimeout = Duration.seconds(60)
    package let stopTimeout = Duration.seconds(15)

    package init(
        name: String, directory: String, port: Int, logFile: String, superuserPassword: String,
        databases: [Database] = [], settings: [String: String] = [:]
    ) {
        self.name = name
        self.directory = directory
        self.port = port
        self.logFile = logFile
        self.superuserPassword = superuserPassword
        self.databases = databases
        self.settings = settings
    }

    package var dataDirectory: String { "\(directory)/data" }
    private var marker: String { "\(directory)/initialised" }
    /// The service roles that the cluster has been given.
    private var serviceRolesRecord: String { "\(directory)/service-roles" }

    /// The directory of PostgreSQL's programs: the newest version under `/usr/lib/postgresql`, or that of `initdb` in `PATH`.
    package static func programDirectory() throws(LocalStackError) -> String {
        if let version = ProgramFinder.highestVersion(in: "/usr/lib/postgresql"),
            FileManager.default.isExecutableFile(atPath: "\(version)/bin/initdb")
        {
            return "\(version)/bin"
        }
        let initdb = try ProgramFinder.find("initdb", package: "postgresql-15")
        return URL(filePath: initdb).resolvingSymlinksInPath().deletingLastPathComponent().path(percentEncoded: false)
    }

    /// Makes the cluster, its roles and databases where there is none yet. A directory whose initialisation was cut
    /// short has no marker and holds nobody's data yet: it is made anew.
    package func prepare(deadline: Deadline) async throws(LocalStackError) {
        let account = try SystemAccount.forPostgres()
        try Files.makeDirectory(directory)
        if let account { try account.own(directory) }
        if !Files.exists(marker) || !Files.exists(dataDirectory) {
            try refuseWhileRunning()
            // What it says is of the cluster that goes.
            try Files.remove(serviceRolesRecord)
            try Files.remove(dataDirectory)
            try await initialise(deadline: deadline)
            try Files.write("\(Self.markerText)\n", to: marker)
        }
        try removeStalePidFile()
        try await waitForOrphans(deadline: deadline.capped(at: .seconds(10)))
        try await addServiceRoles(deadline: deadline)
        try Files.write(configurationText(), to: "\(directory)/private.conf", permissions: 0o644)
    }

    private static let markerText = "This cluster was initialised completely. Without this file it is made anew."

    package func specification() throws(LocalStackError) -> ProcessSpecification {
        var specification = try program(
            "postgres",
            arguments: ["-D", dataDirectory, "-c", "config_file=\(directory)/private.conf"])
        specification.name = name
        // SIGINT is the fast shutdown: sessions are ended, a checkpoint is written.
        specification.stopSignal = SIGINT
        return specification
    }

    private func program(_ program: String, arguments: [String]) throws(LocalStackError) -> ProcessSpecification {
        let account = try SystemAccount.forPostgres()
        var specification = ProcessSpecification(
            name: program, executable: "\(try Self.programDirectory())/\(program)", arguments: arguments,
            environment: ProgramFinder.baseEnvironment(home: directory), workingDirectory: directory,
            logFile: logFile)
        specification.account = account
        if let account { specification.bypassesDirectoryPermissions = !account.canReach(directory) }
        return specification
    }

    private func initialise(deadline: Deadline) async throws(LocalStackError) {
        // --no-sync: nothing is in the cluster yet, and the whole of it is flushed below, once.
        let passwordFile = "\(directory)/superuser-password"
        try Files.write(superuserPassword + "\n", to: passwordFile)
        if let account = try SystemAccount.forPostgres() { try account.own(passwordFile) }
        defer { unlink(passwordFile) }
        try await Command.succeed(
            program(
                "initdb",
                arguments: [
                    "-D", dataDirectory, "--username=postgres", "--pwfile=\(passwordFile)", "--auth=scram-sha-256",
                    "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-sync", "--no-instructions",
                ]),
            deadline: deadline)
        // Single-user mode: roles and databases are there before the server first listens.
        try await runAlone(bootstrapSQL(), purpose: "creating the database", deadline: deadline)
        sync()
    }

    /// A cluster that is older than its database's service role gets it before the server next listens. One that follows
    /// another is left alone: it gets roles from there.
    private func addServiceRoles(deadline: Deadline) async throws(LocalStackError) {
        let roles = databases.compactMap(\.serviceRole?.name).joined(separator: "\n")
        guard !roles.isEmpty, Files.read(serviceRolesRecord) != roles, !Files.exists("\(dataDirectory)/standby.signal"),
            !Files.exists("\(dataDirectory)/recovery.signal")
        else { return }
        try refuseWhileRunning()
        try await runAlone(serviceRoleSQL(), purpose: "adding the service's role", deadline: deadline)
        try Files.write(roles, to: serviceRolesRecord)
    }

    /// Runs statements in single-user mode; they end with an empty line (`-j`).
    private func runAlone(_ sql: String, purpose: String, deadline: Deadline) async throws(LocalStackError) {
        var single = try program("postgres", arguments: ["--single", "-j", "-D", dataDirectory, "postgres"])
        single.name = "\(name): \(purpose)"
        let outcome = try await Command.run(single, input: sql, deadline: deadline)
        guard outcome.exit.isSuccess, !outcome.errors.contains("ERROR:"), !outcome.errors.contains("FATAL:") else {
            throw LocalStackError(
                Diagnosis.kind(of: outcome.errors),
                "\(single.name) \(outcome.exit): \(Diagnosis.lastWords(outcome.errors, lines: 3))")
        }
    }

    private func serviceRoleSQL() -> String {
        databases.compactMap { database in
            database.serviceRole.map { role in
                """
                DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '\(role.name)') THEN \
                CREATE ROLE \(role.name) LOGIN PASSWORD '\(role.password)'; END IF; END $$;

                GRANT CONNECT ON DATABASE \(database.name) TO \(role.name);


                """
            }
        }.joined()
    }

    private func bootstrapSQL() -> String {
        var statements = databases.isEmpty ? [] : ["REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC"]
        for database in databases {
            statements += [
                "CREATE ROLE \(database.role) LOGIN PASSWORD '\(database.password)'",
                "CREATE DATABASE \(database.name) OWNER \(database.role)",
                "REVOKE ALL ON DATABASE \(database.name) FROM PUBLIC",
            ]
        }
        return statements.map { $0 + ";\n\n" }.joined()
    }

    private func configurationText() -> String {
        var all = [
            "listen_addresses": "127.0.0.1", "port": "\(port)", "unix_socket_directories": "", "max_connections": "60",
            "shared_buffers": "24MB", "max_wal_size": "256MB", "min_wal_size": "32MB", "autovacuum_max_workers": "1",
            "max_worker_processes": "2", "max_parallel_workers": "0", "max_parallel_workers_per_gather": "0",
            "password_encryption": "scram-sha-256", "timezone": "UTC", "log_timezone": "UTC", "jit": "off",
            "log_line_prefix": "%m [%p] ", "dynamic_shared_memory_type": "posix", "cluster_name": name,
            "ident_file": "\(dataDirectory)/pg_ident.conf", "hba_file": "\(dataDirectory)/pg_hba.conf",
            "huge_pages": "off", "wal_buffers": "1MB", "logging_collector": "off",
        ]
        all.merge(settings) { _, own in own }
        return all.sorted { $0.key < $1.key }
            .map { "\($0.key) = '\($0.value.replacing("'", with: "''"))'\n" }.joined()
    }

    /// The id in `postmaster.pid`, of a server that may be long gone.
    private var recordedProcess: Int32? {
        Files.read("\(dataDirectory)/postmaster.pid")?.split(separator: "\n").first.flatMap { Int32($0) }
    }

    /// PostgreSQL refuses to start when the pid file's process exists, though it be another program by now. A process
    /// that is gone it judges better than we can: it also looks for sessions that outlived their server.
    private func removeStalePidFile() throws(LocalStackError) {
        guard let process = recordedProcess else { return }
        try refuseWhileRunning()
        if ProcessTable.exists(process) { try Files.remove("\(dataDirectory)/postmaster.pid") }
    }

    /// Sessions outlive a killed server for a moment, in its data directory; a server that starts meanwhile gives up.
    private func waitForOrphans(deadline: Deadline) async throws(LocalStackError) {
        while let orphan = ProcessTable.processes(workingIn: dataDirectory).first {
            guard !deadline.hasPassed else {
                throw LocalStackError(
                    .inUse,
                    "\(name) was killed, and its process \(orphan) still works on \(dataDirectory): end that process.")
            }
            do {
                try await Task.sleep(for: .milliseconds(20))
            } catch {
                throw LocalStackError(.failedToStart, "\(name): starting was cancelled.")
            }
        }
    }

    private func refuseWhileRunning() throws(LocalStackError) {
        guard let process = recordedProcess, ProcessTable.exists(process),
            ProcessTable.arguments(of: process).contains(dataDirectory)
        else { return }
        throw LocalStackError(
            .inUse,
            "\(name) runs already as process \(process): stop the suite with `authms down`, or end that process.")
    }

    /// `postgresql://…` for the role and its database; the superuser's own where no database is given.
    ///
    /// - Parameter portDistance: for something that listens so much above the cluster's own port and leads to it.
    package func url(_ database: Database? = nil, portDistance: Int = 0) -> String {
        let place = "127.0.0.1:\(port + portDistance)"
        guard let database else { return "postgresql://postgres:\(superuserPassword)@\(place)/postgres" }
        return "postgresql://\(database.role):\(database.password)@\(place)/\(database.name)"
    }

    /// The service's database as the superuser sees it.
    package var ownSuperuserURL: String {
        "postgresql://postgres:\(superuserPassword)@127.0.0.1:\(port)/\(databases.first?.name ?? "postgres")"
    }
}
