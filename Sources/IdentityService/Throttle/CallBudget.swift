import Contracts
package import Foundation
import Hummingbird
import MicroMiddleware
import Synchronization

/// How many calls that need no token an address may make: a bucket of tokens each, which fills up again evenly.
///
/// Generous to people, and a bound on what one address can set off: mails, accounts, rows. Each process counts by itself, so
/// of several replicas each lets as many through. Sign-ins have ``Throttle``, which counts failures alone.
package final class CallBudget: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: Date
    }

    /// More addresses than this, and those whose buckets are full, or nearly, go.
    package static let addressLimit = 50_000

    private let addresses: CountedAddresses
    private let burst: Double
    private let perSecond: Double
    private let buckets = Mutex<[String: Bucket]>([:])
    private let now: @Sendable () -> Date

    /// - Parameters:
    ///   - perMinute: so many calls an address may make on and on.
    ///   - burst: and so many at once.
    package init(
        addresses: CountedAddresses, perMinute: Int, burst: Int, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        precondition(perMinute > 0 && burst > 0, "a bucket that stays empty lets nobody through")
        self.addresses = addresses
        self.burst = Double(burst)
        perSecond = Double(perMinute) / 60
        self.now = now
    }

    /// Takes a token.
    /// - Throws: ``IdentityError/throttled(retryAfter:)`` when the address has none left. Addresses that are not counted by
    ///   always have one.
    package func spend(from address: String?) throws(IdentityError) {
        guard let network = addresses.network(of: address) else { return }
        let now = now()
        let left = buckets.withLock { buckets in
            if buckets[network] == nil { makeRoom(in: &buckets, now) }
            let left = tokens(in: buckets[network], now)
            // Who is refused pays nothing: the wait that is told is enough.
            buckets[network] = Bucket(tokens: left >= 1 ? left - 1 : left, filledAt: now)
            return left
        }
        guard left >= 1 else { throw .throttled(retryAfter: .seconds((1 - left) / perSecond)) }
    }

    /// How many addresses are kept.
    package var addressCount: Int { buckets.withLock { $0.count } }

    private func tokens(in bucket: Bucket?, _ now: Date) -> Double {
        guard let bucket else { return burst }
        return min(burst, bucket.tokens + max(0, now.timeIntervalSince(bucket.filledAt)) * perSecond)
    }

    private func makeRoom(in buckets: inout [String: Bucket], _ now: Date) {
        var most = burst
        while buckets.count >= Self.addressLimit {
            buckets = buckets.filter { tokens(in: $0.value, now) < most }
            most -= max(1, burst / 4)
        }
    }
}

/// Refuses calls of an address that has made too many.
struct CallBudgetMiddleware: RouterMiddleware {
    typealias Context = BaseRequestContext

    let budget: CallBudget

    func handle(
        _ request: Request, context: BaseRequestContext,
        next: @concurrent (Request, BaseRequestContext) async throws -> Response
    ) async throws -> Response {
        try budget.spend(from: context.clientAddress)
        return try await next(request, context)
    }
}
