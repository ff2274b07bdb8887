package import LocalStack

/// A suite of the bench's own, beside whatever else runs: started from this program, stopped and forgotten afterwards.
package struct BenchSuite {
    /// Added to every port of the suite.
    private static let portOffset = 4_000

    package let layout: StackLayout
    private let suite: PrivateSuite

    /// Starts it and waits until all of it is ready, for two minutes at most.
    ///
    /// - Parameter settings: environment variables for the services, over this process's own.
    /// - Throws: `LocalStackError` with the suite's last words when it ends or does not become ready.
    package static func start(
        executable: String, repository: String, settings: [String: String] = [:]
    ) async throws -> BenchSuite {
        let layout = try PrivateSuite.makePlace(named: "bench", repository: repository, portOffset: portOffset)
        do {
            let suite = try await PrivateSuite.start(in: layout, executable: executable, environment: settings)
            return BenchSuite(layout: layout, suite: suite)
        } catch {
            PrivateSuite.forget(layout)
            throw error
        }
    }

    /// What the measurements need to know of it.
    ///
    /// - Parameter sessionDatabase: libpq's URL of the session service's database.
    package func target(sessionDatabase: String) -> BenchTarget {
        BenchTarget(gateway: layout.url(of: .gateway), sessionDatabase: sessionDatabase)
    }

    /// Stops it in order and removes what it made.
    package func stop() async {
        await suite.stop()
        PrivateSuite.forget(layout)
    }
}
