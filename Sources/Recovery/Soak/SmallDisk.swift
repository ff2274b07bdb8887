import ConnectionKit
import Foundation
package import LocalStack
import Logging
import Postgres

/// A small disk in memory that one database lies on, so that it can be filled without anything else being touched. Only
/// root can make one.
package struct SmallDisk: Sendable {
    /// The process whose directory it is.
    static let database = "postgres-identity"
    /// Room for the cluster and the log of an hour's soak.
    private static let size = "512m"

    private let directory: String
    private var filler: String { "\(directory)/filler" }

    /// Whether one can be made here.
    package static var isPossible: Bool { SystemAccount.currentIsRoot }

    /// Mounts it where the database's directory will be.
    package init(in layout: StackLayout) async throws {
        directory = "\(layout.root)/pg/identity"
        for parent in ["\(layout.root)/pg", directory] { try Files.makeDirectory(parent) }
        try await Self.run("mount", ["-t", "tmpfs", "-o", "size=\(Self.size),mode=700", "authms-soak", directory])
    }

    /// Takes the last byte, and makes the database need one.
    func fill(superuserURL: String) async throws {
        let descriptor = try FileHandle(forWritingTo: Self.create(filler))
        defer { try? descriptor.close() }
        let block = Data(count: 1 << 20)
        for size in [block.count, 4_096] {
            while (try? descriptor.write(contentsOf: block.prefix(size))) != nil {}
        }
        let client = PostgresClient(
            configuration: try PostgresConfiguration(url: superuserURL),
            logger: Logger(label: "authms.soak") { _ in SwiftLogNoOpLogHandler() })
        // It writes into room that it has already, until the next segment of its log.
        for _ in 0..<3 { _ = try? await client.query("SELECT pg_switch_wal()", deadline: .after(.seconds(2))) }
        await client.close()
    }

    /// Gives the room back.
    func clear() throws {
        try Files.remove(filler)
    }

    /// Unmounts it; with its contents it is gone.
    package func unmount() async {
        try? await Self.run("umount", ["--lazy", directory])
    }

    private static func create(_ path: String) -> URL {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return URL(filePath: path)
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        try await Command.succeed(
            ProcessSpecification(
                name: program, executable: try ProgramFinder.find(program, package: "mount"), arguments: arguments,
                environment: ProgramFinder.baseEnvironment(home: "/"), workingDirectory: "/", logFile: ""),
            deadline: .after(.seconds(10)))
    }
}
