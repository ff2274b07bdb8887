import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The pages of program text that starting touched and running does not.
///
/// Looking up protocol conformances reads records all over the program once, and the kernel maps the neighbourhood of
/// every page that it reads: some 20 MiB that a service never looks at again count as its memory. Giving them back costs
/// nothing but the faults on those that are still used, and they stay in the page cache meanwhile.
package enum StartupPages {
    /// Unmaps program text and constants, which are never written and so are read from their file again where they are
    /// needed (`madvise(2)`, `MADV_DONTNEED` on a private file mapping). A mapping that has pages of its own, as the linker's
    /// relocations make them, keeps all. Does nothing where `/proc/self/smaps` cannot be read.
    package static func release() {
        guard let maps = try? String(contentsOfFile: "/proc/self/smaps", encoding: .utf8) else { return }
        var mapping: UnsafeMutableRawBufferPointer?
        for line in maps.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            if fields.count >= 5, !fields[0].hasSuffix(":") {
                mapping = fields.count >= 6 ? unwritten(range: fields[0], permissions: fields[1], of: fields[5]) : nil
            } else if let found = mapping, fields.count >= 2, fields[0] == "Anonymous:" {
                if fields[1] == "0" { madvise(found.baseAddress, found.count, MADV_DONTNEED) }
                mapping = nil
            }
        }
    }

    /// The bounds of a mapping of a file that nobody may write to; `nil` for any other.
    private static func unwritten(
        range: Substring, permissions: Substring, of file: Substring
    ) -> UnsafeMutableRawBufferPointer? {
        guard permissions == "r-xp" || permissions == "r--p", file.hasPrefix("/") else { return nil }
        let bounds = range.split(separator: "-").compactMap { UInt(String($0), radix: 16) }
        guard bounds.count == 2, let start = UnsafeMutableRawPointer(bitPattern: bounds[0]) else { return nil }
        return UnsafeMutableRawBufferPointer(start: start, count: Int(bounds[1] - bounds[0]))
    }
}
