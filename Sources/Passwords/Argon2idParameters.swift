/// The cost of a password hash. libsodium fixes the parallelism at one lane.
package struct Argon2idParameters: Sendable, Hashable {
    /// Memory in KiB.
    package let memoryKiB: Int
    /// Passes over the memory.
    package let iterations: Int

    /// OWASP's second choice and ours: 19 MiB, two passes, one lane.
    package static let standard = Argon2idParameters(memoryKiB: 19_456, iterations: 2)

    /// The most memory that a stored hash may ask for, in KiB: what the database says must not exhaust the machine.
    package static let maximumMemoryKiB = 1_048_576
    /// The most passes that a stored hash may ask for.
    package static let maximumIterations = 16

    /// - Precondition: 8 KiB to 1 GiB of memory, 1 to 16 passes.
    package init(memoryKiB: Int, iterations: Int) {
        precondition((8...Self.maximumMemoryKiB).contains(memoryKiB), "Argon2id memory out of range")
        precondition((1...Self.maximumIterations).contains(iterations), "Argon2id iterations out of range")
        self.memoryKiB = memoryKiB
        self.iterations = iterations
    }

    var memoryBytes: Int { memoryKiB * 1_024 }
}
