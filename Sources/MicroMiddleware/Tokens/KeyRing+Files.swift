internal import Foundation
internal import SystemPackage

extension KeyRing {
    static func contents(of path: String) throws(KeyRingError) -> Data {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .unreadable(file: path, reason: "there is no such file, or it may not be read")
        }
        return data
    }

    /// The file that a path leads to: a link is followed, since the published keys may lie in a directory of their own, the
    /// one that a container may see.
    static func destination(of path: String) -> String {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { return path }
        if target.hasPrefix("/") { return target }
        return (path as NSString).deletingLastPathComponent + "/" + target
    }

    /// Writes beside and renames, so that a full disk or a crash leaves no half file, and nobody finds none.
    ///
    /// - Parameters:
    ///   - model: whose mode and owner the file takes, so that whoever reads the ring still can; nobody's where that is not there.
    ///   - mode: the mode otherwise, set at creation.
    static func write(
        _ data: Data, to path: String, like model: String? = nil, mode: CModeT
    ) throws(KeyRingError) {
        let path = destination(of: path)
        let temporary = path + ".new"
        do {
            if FileManager.default.fileExists(atPath: temporary) {
                try FileManager.default.removeItem(atPath: temporary)
            }
            let known = model.flatMap(Possession.init)
            let file = try FileDescriptor.open(
                FilePath(temporary), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: known == nil ? mode : 0o600))
            try file.closeAfter {
                try known?.give(to: file.rawValue)
                _ = try file.writeAll(data)
                // Or a power cut could leave the new name on an empty file.
                guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            guard rename(temporary, path) == 0 else { throw Errno(rawValue: errno) }
        } catch let error as Errno {
            throw .unreadable(file: path, reason: error.description)
        } catch {
            throw .unreadable(file: path, reason: "it cannot be written")
        }
    }

    /// Whose a file is, and who may read it.
    private struct Possession {
        private let mode: CModeT
        private let owner: UInt32
        private let group: UInt32

        /// - Returns: nil where the file is not there, or may not be looked at.
        init?(_ path: String) {
            guard let known = try? FileManager.default.attributesOfItem(atPath: destination(of: path)),
                let mode = known[.posixPermissions] as? Int, let owner = known[.ownerAccountID] as? Int,
                let group = known[.groupOwnerAccountID] as? Int
            else { return nil }
            (self.mode, self.owner, self.group) = (CModeT(mode & 0o777), UInt32(owner), UInt32(group))
        }

        /// Makes it the same for another file; only root can give files away.
        func give(to descriptor: Int32) throws {
            if owner != geteuid() || group != getegid() {
                guard fchown(descriptor, owner, group) == 0 else { throw Errno(rawValue: errno) }
            }
            guard fchmod(descriptor, mode) == 0 else { throw Errno(rawValue: errno) }
        }
    }
}
