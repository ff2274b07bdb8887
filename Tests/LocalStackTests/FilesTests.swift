import Foundation
import LocalStack
import TestSupport
import Testing

@Suite("Files and directories of the stack")
struct FilesTests {
    @Test("A directory that many make at once is never open to others, not for a moment")
    func directories() async throws {
        let place = try TestDirectory.make("files")
        for round in 0..<50 {
            let shared = "\(place)/\(round)"
            let seen = await withTaskGroup(of: Int?.self) { group in
                for number in 0..<4 {
                    group.addTask {
                        try? Files.makeDirectory("\(shared)/\(number)/data")
                        let attributes = try? FileManager.default.attributesOfItem(atPath: shared)
                        return attributes?[.posixPermissions] as? Int
                    }
                }
                return await group.reduce(into: [Int?]()) { $0.append($1) }
            }
            #expect(seen.allSatisfy { $0 == 0o700 })
            #expect((0..<4).allSatisfy { Files.exists("\(shared)/\($0)/data") })
        }
    }

    @Test("A directory that is there keeps what is in it and gets the permissions; a file in its place is told of")
    func existing() throws {
        let place = try TestDirectory.make("files")
        let directory = "\(place)/a/b"
        try Files.makeDirectory(directory, permissions: 0o755)
        try Files.write("kept", to: "\(directory)/file")
        try Files.makeDirectory(directory + "/")
        #expect(Files.read("\(directory)/file") == "kept")
        let mode = try FileManager.default.attributesOfItem(atPath: directory)[.posixPermissions] as? Int
        #expect(mode == 0o700)
        #expect(throws: LocalStackError.self) { try Files.makeDirectory("\(directory)/file/c") }
    }
}
