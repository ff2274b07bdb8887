package import LocalStack

/// A program of other people's that a measurement is made with, or compared with.
package enum BenchPrograms: String, Sendable, CaseIterable {
    case wrk, haproxy, openssl, pgbench, psql

    /// The Debian package that has it.
    private var package: String {
        switch self {
        case .wrk, .haproxy, .openssl: rawValue
        case .pgbench, .psql: "postgresql-15"
        }
    }

    /// Looks for all of them before anything is measured.
    ///
    /// - Throws: `LocalStackError.unavailable` naming the first that is not installed.
    package static func require(_ programs: [BenchPrograms]) throws(LocalStackError) {
        for program in programs { _ = try program.path }
    }

    /// Where it is.
    package var path: String {
        get throws(LocalStackError) {
            do {
                return try ProgramFinder.find(rawValue, package: package)
            } catch {
                throw LocalStackError(
                    .unavailable,
                    "The program '\(rawValue)', which this is measured with, is not installed: `make bench` installs it, or "
                        + "`apt-get install \(package)` does.")
            }
        }
    }
}
