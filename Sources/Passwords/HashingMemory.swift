import CLentMemory
import Foundation

/// The memory that one thread hashes in, kept from one password to the next: a large part of what a hash costs is the
/// kernel giving and taking its pages.
///
/// Huge pages where the kernel gives them. It is left out of core dumps, and given back when there is nothing to hash:
/// what is in it then is gone.
struct HashingMemory: ~Copyable {
    private static let hugePage = 2 << 20

    private let size: Int
    private var mapping: UnsafeMutableRawPointer?

    /// - Parameter size: in bytes, of the largest hash that is to run in it; larger ones get memory of their own.
    init(size: Int) {
        self.size = (size + Self.hugePage - 1) / Self.hugePage * Self.hugePage
    }

    deinit {
        if let mapping { munmap(mapping, size + Self.hugePage) }
    }

    /// Runs a hash of libsodium's in this memory.
    ///
    /// - Returns: what `body` returns, and whether the memory was used.
    mutating func lend<Value>(_ body: () -> Value) -> (value: Value, isUsed: Bool) {
        if mapping == nil { map() }
        guard let mapping else { return (body(), false) }
        let base = mapping.alignedUp(toMultipleOf: Self.hugePage)
        lent_memory_begin(base, size)
        let value = body()
        return (value, lent_memory_end() > 0)
    }

    /// Gives the memory back to the system.
    mutating func release() {
        guard let mapping else { return }
        munmap(mapping, size + Self.hugePage)
        self.mapping = nil
    }

    private mutating func map() {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let mapped = mmap(nil, size + Self.hugePage, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { return }
        // Both are wishes: without them it is slower, or larger in a core dump that is switched off anyway.
        madvise(mapped, size + Self.hugePage, MADV_HUGEPAGE)
        madvise(mapped, size + Self.hugePage, MADV_DONTDUMP)
        mapping = mapped
    }
}
