import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What is looked at before anything is started, so that trouble has one clear sentence instead of five logs.
package enum Preflight {
    /// Five clusters with their WAL, a broker's and Redis's files, logs.
    private static let neededMiB: UInt64 = 700
    private static let neededMiBWhenInitialised: UInt64 = 150

    /// - Throws: `LocalStackError` naming the first thing that is missing.
    package static func check(_ plan: StackPlan) throws(LocalStackError) {
        try checkPrograms()
        try checkRoom(plan.layout)
        for server in plan.servers { try Ports.require(server.port, for: server.name) }
        for link in plan.links { try Ports.require(link.port, for: "the proxy in front of \(link.name)") }
        try Ports.require(plan.layout.rabbitMQDistributionPort, for: "rabbitmq's Erlang distribution")
    }

    private static func checkPrograms() throws(LocalStackError) {
        _ = try PostgresServer.programDirectory()
        _ = try ProgramFinder.find("redis-server", package: "redis-server")
        _ = try RabbitMQServer.programDirectory()
        _ = try ProgramFinder.find("epmd", package: "rabbitmq-server")
        _ = try SystemAccount.forPostgres()
    }

    private static func checkRoom(_ layout: StackLayout) throws(LocalStackError) {
        let isInitialised = Files.exists("\(layout.root)/pg/audit/initialised")
        let needed = isInitialised ? neededMiBWhenInitialised : neededMiB
        var statistics = statvfs()
        guard statvfs(layout.root, &statistics) == 0 else { return }
        let free = UInt64(statistics.f_bavail) * UInt64(statistics.f_frsize) / (1 << 20)
        guard free >= needed else {
            throw LocalStackError(
                .storage,
                "The disk that holds \(layout.root) is full: \(free) MiB are free, \(needed) MiB are needed. "
                    + "Make room and start again.")
        }
    }
}
