import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What `/proc` says about other processes.
package enum ProcessTable {
    /// Whether a process of that id exists, ours or not, be it only as an entry that nobody has waited for.
    package static func exists(_ identifier: Int32) -> Bool {
        kill(identifier, 0) == 0 || errno == EPERM
    }

    /// The name of the program that a process runs, as `ps` shows it.
    package static func programName(of identifier: Int32) -> String? {
        (try? String(contentsOfFile: "/proc/\(identifier)/comm", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The arguments of a process, its program first.
    package static func arguments(of identifier: Int32) -> [String] {
        guard let data = FileManager.default.contents(atPath: "/proc/\(identifier)/cmdline") else { return [] }
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The process's memory in physical pages that it shares or not, in KiB.
    package static func residentKiB(of identifier: Int32) -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8) else {
            return nil
        }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    }

    /// The processes whose working directory that is, as far as we may know.
    package static func processes(workingIn directory: String) -> [Int32] {
        guard let path = realpath(directory, nil) else { return [] }
        defer { free(path) }
        let resolved = String(cString: path)
        return identifiers.filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == resolved
        }
    }

    /// Every process below `ancestor`, nearest first.
    package static func descendants(of ancestor: Int32) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        for identifier in identifiers {
            if let parent = parent(of: identifier) { children[parent, default: []].append(identifier) }
        }
        var found: [Int32] = []
        var frontier = children[ancestor] ?? []
        while !frontier.isEmpty {
            found += frontier
            frontier = frontier.flatMap { children[$0] ?? [] }
        }
        return found
    }

    /// Every process there is. Processes that come and go meanwhile do not disturb the listing.
    static var identifiers: [Int32] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var found: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let identifier = Int32(name) { found.append(identifier) }
        }
        return found
    }

    private static func parent(of identifier: Int32) -> Int32? {
        guard let stat = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let closing = stat.lastIndex(of: ")")
        else { return nil }
        // After the name in parentheses: the state, then the parent's id.
        let fields = stat[stat.index(after: closing)...].split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]) : nil
    }
}
