import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The few things that the stack does with files, with sentences for what goes wrong.
package enum Files {
    /// Makes a directory and those above it; one that is there keeps its contents and gets the permissions.
    ///
    /// Each has its permissions from the moment it is there: several servers make theirs at once under the same one, and look
    /// at who may pass it.
    package static func makeDirectory(_ path: String, permissions: Int = 0o700) throws(LocalStackError) {
        var missing: [String] = []
        var next = URL(filePath: path).standardizedFileURL
        while !exists(next.path(percentEncoded: false)), next.pathComponents.count > 1 {
            missing.append(next.path(percentEncoded: false))
            next.deleteLastPathComponent()
        }
        for directory in missing.reversed() where mkdir(directory, mode_t(permissions)) != 0 && errno != EEXIST {
            throw failure("make the directory", path)
        }
        guard chmod(path, mode_t(permissions)) == 0 else {
            throw LocalStackError(.storage, "The directory \(path) is not ours: \(String(cString: strerror(errno))).")
        }
    }

    /// Writes a file as a whole: a reader sees the old text or the new one, also after a crash.
    package static func write(_ text: String, to path: String, permissions: Int = 0o600) throws(LocalStackError) {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(permissions))
        guard descriptor >= 0 else { throw failure("write", path) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure("write", path) }
            written += count
        }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw failure("write", path) }
    }

    /// The file's text; nil when there is none.
    package static func read(_ path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }

    package static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path)
    }

    /// Removes a file or a whole directory; what is not there is as good as removed.
    package static func remove(_ path: String) throws(LocalStackError) {
        guard exists(path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw storage("remove", path, error)
        }
    }

    private static func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, bytes, count)
        #else
            Darwin.write(descriptor, bytes, count)
        #endif
    }

    private static func failure(_ verb: String, _ path: String) -> LocalStackError {
        let code = errno
        let reason = String(cString: strerror(code))
        if code == ENOSPC || code == EDQUOT {
            return LocalStackError(.storage, "Cannot \(verb) \(path): the disk is full; make room and start again.")
        }
        return LocalStackError(.storage, "Cannot \(verb) \(path): \(reason).")
    }

    private static func storage(_ verb: String, _ path: String, _ error: any Error) -> LocalStackError {
        let posix = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        if posix?.code == Int(ENOSPC) || (error as? CocoaError)?.code == .fileWriteOutOfSpace {
            return LocalStackError(.storage, "Cannot \(verb) \(path): the disk is full; make room and start again.")
        }
        return LocalStackError(.storage, "Cannot \(verb) \(path): \((error as NSError).localizedDescription)")
    }
}
