import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// TCP ports of the loopback interface.
package enum Ports {
    private static let given = Mutex<Set<Int>>([])

    /// A port that nobody listens on, below the range from which the kernel takes ports for outgoing connections;
    /// never the same one twice in this process.
    package static func free() throws(LocalStackError) -> Int {
        for _ in 0..<500 {
            let port = Int.random(in: 20_000..<32_000)
            guard given.withLock({ $0.insert(port).inserted }), isFree(port) else { continue }
            return port
        }
        throw LocalStackError(.inUse, "No free port could be found between 20000 and 32000 on 127.0.0.1.")
    }

    /// Whether a server could bind the port now.
    package static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var yes: Int32 = 1
        // As servers do: what lingers of an earlier server's connections is no obstacle.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                    && listen(descriptor, 1) == 0
            }
        }
    }

    /// The address of a port on 127.0.0.1.
    static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// Refuses a port that another process listens on, and names that process where `/proc` lets us.
    package static func require(_ port: Int, for name: String) throws(LocalStackError) {
        guard !isFree(port) else { return }
        let holder = holder(of: port).map { "by \($0)" } ?? "by a process that cannot be named"
        throw LocalStackError(
            .inUse,
            "Port \(port), which \(name) needs, is in use \(holder): end that process, or move all ports with "
                + "AUTHMS_PORT_OFFSET=1000.")
    }

    /// `name (process 123)` of the process that listens on the port.
    package static func holder(of port: Int) -> String? {
        guard let inode = listeningInode(of: port) else { return nil }
        let target = "socket:[\(inode)]"
        let manager = FileManager.default
        for identifier in ProcessTable.identifiers {
            let directory = "/proc/\(identifier)/fd"
            for descriptor in (try? manager.contentsOfDirectory(atPath: directory)) ?? []
            where (try? manager.destinationOfSymbolicLink(atPath: "\(directory)/\(descriptor)")) == target {
                return "\(ProcessTable.programName(of: identifier) ?? "?") (process \(identifier))"
            }
        }
        return nil
    }

    private static func listeningInode(of port: Int) -> String? {
        let suffix = ":" + String(format: "%04X", port)
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let lines = ((try? String(contentsOfFile: table, encoding: .utf8)) ?? "").split(separator: "\n").dropFirst()
            for line in lines {
                let fields = line.split(separator: " ")
                // Local address, remote address, state (0A is LISTEN) … the inode is the tenth field.
                if fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" { return String(fields[9]) }
            }
        }
        return nil
    }
}
