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
    /// Unmaps program text, which is never written and so is read from its file again where it is needed
    /// (`madvise(2)`, `MADV_DONTNEED` on a private file mapping). Does nothing where `/proc/self/maps` cannot be read.
    package static func release() {
        guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return }
        for line in maps.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            // Executable and not writable, and of a file: nothing in it can be lost.
            guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard bounds.count == 2, let start = UnsafeMutableRawPointer(bitPattern: bounds[0]) else { continue }
            madvise(start, Int(bounds[1] - bounds[0]), MADV_DONTNEED)
        }
    }
}
