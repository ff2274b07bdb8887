import Foundation
package import MicroMiddleware
package import Passwords

/// What the identity service is configured with, beyond what every service is.
package struct IdentityConfiguration: Sendable {
    package var hashing: Argon2idParameters
    package var hashingThreads: Int
    package var hashingQueueLimit: Int

    package init(settings: ServiceSettings) throws {
        hashing = Argon2idParameters(
            memoryKiB: try settings.value(.passwordMemory), iterations: try settings.value(.passwordIterations))
        hashingThreads = try settings.value(.passwordThreads)
        hashingQueueLimit = try settings.value(.passwordQueueLimit)
    }

    /// For the reference documentation.
    package static let keys: [ConfigurationKeySummary] =
        [
            ConfigurationKey<Int>.passwordMemory.summary, ConfigurationKey<Int>.passwordIterations.summary,
            ConfigurationKey<Int>.passwordThreads.summary, ConfigurationKey<Int>.passwordQueueLimit.summary,
        ] + [ConfigurationKey<String>.commonPasswords.summary, ConfigurationKey<String>.breachRangeURL.summary]
        + [ConfigurationKey<[String]>.contextWords.summary, ConfigurationKey<Duration>.oneTimePasswordLifetime.summary]
        + MailSettings.keys + ThrottleSettings.keys
}

extension ConfigurationKey<Int> {
    static let passwordMemory = int(
        "password.memory_kib", default: Argon2idParameters.standard.memoryKiB, in: 8...1_048_576,
        "The memory of one password hash in KiB. Hashes made with less are replaced when their users sign in.")
    static let passwordIterations = int(
        "password.iterations", default: Argon2idParameters.standard.iterations, in: 1...16,
        "The passes of one password hash over its memory.")
    static let passwordThreads = int(
        "password.threads", default: ProcessInfo.processInfo.activeProcessorCount, in: 1...256,
        "How many passwords are hashed at a time; one a core by default.")
    static let passwordQueueLimit = int(
        "password.queue_limit", default: 128, in: 1...100_000,
        "How many passwords may wait to be hashed; one more is answered 503 with Retry-After.")
}
