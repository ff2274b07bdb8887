import Foundation
package import MicroMiddleware

/// How hard guessing is made, by configuration.
package struct ThrottleSettings: Sendable {
    package let limits: ThrottleLimits
    package let trusted: [AddressRange]
    package let difficulty: Int
    package let callsPerMinute: Int
    package let callsAtOnce: Int

    package init(settings: ServiceSettings) throws {
        var limits = ThrottleLimits()
        limits.account.free = try settings.value(.bruteForceAccountFree)
        limits.account.longest = try settings.value(.bruteForceAccountLongest)
        limits.address.free = try settings.value(.bruteForceAddressFree)
        limits.tenantFailuresPerMinute = try settings.value(.bruteForceTenantFailures)
        limits.asksForProof = try settings.value(.bruteForceProof)
        self.limits = limits
        trusted = try settings.value(.bruteForceTrusted)
        difficulty = try settings.value(.bruteForceDifficulty)
        callsPerMinute = try settings.value(.callsPerMinute)
        callsAtOnce = try settings.value(.callsAtOnce)
    }

    static let keys: [ConfigurationKeySummary] = [
        ConfigurationKey<Int>.bruteForceAccountFree.summary,
        ConfigurationKey<Duration>.bruteForceAccountLongest.summary,
        ConfigurationKey<Int>.bruteForceAddressFree.summary, ConfigurationKey<[AddressRange]>.bruteForceTrusted.summary,
        ConfigurationKey<Int>.bruteForceTenantFailures.summary, ConfigurationKey<Bool>.bruteForceProof.summary,
        ConfigurationKey<Int>.bruteForceDifficulty.summary, ConfigurationKey<Int>.callsPerMinute.summary,
        ConfigurationKey<Int>.callsAtOnce.summary,
    ]
}

extension ConfigurationKey<Int> {
    static let bruteForceAccountFree = int(
        "bruteforce.account_free", default: 5, in: 1...1_000_000,
        "How many wrong passwords in a row an identity takes before each next one costs a wait that doubles.")
    static let bruteForceAddressFree = int(
        "bruteforce.address_free", default: 100, in: 1...1_000_000,
        "How many wrong passwords in ten minutes an address may give, whomever it tries, before it has to wait.")
    static let bruteForceTenantFailures = int(
        "bruteforce.tenant_failures_per_minute", default: 6_000, in: 1...100_000_000,
        "At so many failures in a minute a tenant's brake is on for five minutes: one free failure an identity.")
    static let bruteForceDifficulty = int(
        "bruteforce.proof_bits", default: 18, in: 1...32,
        "How many leading zero bits a proof of work must have; each more doubles the work.")
    static let callsPerMinute = int(
        "bruteforce.calls_per_minute", default: 120, in: 1...1_000_000,
        """
        How many calls without a token an address may make in a minute, on and on: registering, asking for codes and trying \
        them, passkey challenges, the strength of passwords. Each process counts by itself.
        """)
    static let callsAtOnce = int(
        "bruteforce.calls_at_once", default: 60, in: 1...1_000_000,
        "How many such calls an address may make at once after a pause.")
}

extension ConfigurationKey<Duration> {
    static let bruteForceAccountLongest = duration(
        "bruteforce.account_longest_wait", default: .seconds(900), in: .seconds(1) ... .seconds(86_400),
        "The longest wait between two attempts on an identity from devices that it has not been used on.")
}

extension ConfigurationKey<Bool> {
    static let bruteForceProof = bool(
        "bruteforce.proof_of_work", default: false,
        "Whether, while a tenant's brake is on, unknown devices must solve a challenge for each attempt.")
}

extension ConfigurationKey<[AddressRange]> {
    static let bruteForceTrusted = addressRanges(
        "bruteforce.trusted_addresses", default: ["127.0.0.0/8", "::1"],
        "Whose failures and calls are not counted by address: one's own gateways that hide their clients' addresses.")
}
