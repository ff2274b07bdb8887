import Foundation

/// Finds the programs that the stack needs.
package enum ProgramFinder {
    /// Where programs lie on the machines that we know, besides the caller's `PATH`.
    package static let searchPath: [String] = {
        let inherited = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let directories =
            inherited.split(separator: ":").map(String.init) + [
                "/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin",
            ]
        var seen: Set<String> = []
        return directories.filter { seen.insert($0).inserted }
    }()

    /// The absolute path of the program.
    ///
    /// - Parameter package: the Debian package that has it, for the sentence in the error.
    /// - Throws: `LocalStackError.unavailable`.
    package static func find(_ program: String, package: String) throws(LocalStackError) -> String {
        for directory in searchPath {
            let path = "\(directory)/\(program)"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw LocalStackError(
            .unavailable,
            "The program '\(program)' is not installed: `make up` installs it, or `apt-get install \(package)` does.")
    }

    /// The directory of the highest version among `parent/prefix*`, such as `/usr/lib/postgresql/15`.
    static func highestVersion(in parent: String, prefix: String = "") -> String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        let versions = names.filter { $0.hasPrefix(prefix) }
        return
            versions
            .max { $0.compare($1, options: .numeric) == .orderedAscending }
            .map { "\(parent)/\($0)" }
    }

    /// The environment that every program starts with: a path, a home and a language, and nothing of the caller's.
    package static func baseEnvironment(home: String) -> [String: String] {
        [
            "PATH": searchPath.joined(separator: ":"), "HOME": home, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        ]
    }
}
