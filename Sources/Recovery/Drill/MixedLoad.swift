import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// The mix that every promise is measured under: each second 5 logins, one of them with a second factor, 1 registration,
/// 40 refreshes, 150 authenticated reads and 4 logouts; and, which the promise does not name, 2 changes of a profile. Or a
/// multiple of it. Sent on schedule whatever the answers do; bounded in what is under way.
package final class MixedLoad: Sendable {
    static let password = "correct horse battery staple"
    /// Requests under way at most; one more is not sent, and counts as broken.
    private static let maximumInFlight = 512
    private static let tick = Duration.milliseconds(5)

    package let ledger = Ledger()
    let client: LoadClient
    private let factor: Int
    private let capabilities: [Capability]
    private let start = ContinuousClock.now
    private let inFlight = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)

    /// - Parameters:
    ///   - factor: how many times the mix is sent each second.
    ///   - capabilities: what of the mix is sent.
    package init(gateway: String, factor: Int = 1, capabilities: [Capability] = Capability.sent) {
        self.factor = factor
        self.capabilities = capabilities
        client = LoadClient(gateway: gateway)
    }

    /// Seconds since the load began.
    package var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

    package func stop() { isStopping.store(true, ordering: .relaxed) }
    package func close() async { await client.close() }

    /// Makes the users and sessions that the load begins with.
    ///
    /// - Throws: `DrillError` when the suite does not do that while nothing is wrong.
    package func prepare(users: Int = 12, sessions: Int = 120) async throws {
        for _ in 0..<users { await register(at: elapsed) }
        try await enrol(Capability.loginMFA.perSecond * factor * Authenticator.rest)
        var made = 0
        for number in 0..<(sessions * 2) where made < sessions {
            if let held = await signIn(number, at: elapsed) {
                ledger.give(held)
                made += 1
            }
        }
        guard made == sessions else {
            throw DrillError("Only \(made) of \(sessions) sessions could be opened before anything was broken.")
        }
    }

    /// Sends until ``stop()``, and returns when the last answer is there.
    ///
    /// One clock for all: a timer for each request would cost as much as sending it. What comes due within a tick is sent at
    /// its end, and counted from when it was due.
    package func run() async {
        let begin = ContinuousClock.now
        await withDiscardingTaskGroup { group in
            var schedules = capabilities.map {
                Schedule(capability: $0, begin: begin, interval: .seconds(1) / ($0.perSecond * factor))
            }
            while !isStopping.load(ordering: .relaxed) {
                let now = ContinuousClock.now
                for index in schedules.indices {
                    while let (number, due) = schedules[index].next(by: now) {
                        send(schedules[index].capability, number, at: (due - start) / .seconds(1), in: &group)
                    }
                }
                try? await Task.sleep(until: now + Self.tick, clock: .continuous)
            }
        }
    }

    /// When the requests of one kind are due.
    private struct Schedule {
        let capability: Capability
        let begin: ContinuousClock.Instant
        let interval: Duration
        private var number = 0

        init(capability: Capability, begin: ContinuousClock.Instant, interval: Duration) {
            self.capability = capability
            self.begin = begin
            self.interval = interval
        }

        /// The next one, if it is due.
        mutating func next(by now: ContinuousClock.Instant) -> (number: Int, due: ContinuousClock.Instant)? {
            let due = begin + interval * number
            guard due <= now else { return nil }
            defer { number += 1 }
            return (number, due)
        }
    }

    private func send(_ capability: Capability, _ number: Int, at: Double, in group: inout DiscardingTaskGroup) {
        guard inFlight.load(ordering: .relaxed) < Self.maximumInFlight else {
            return record(Sample(capability, at: at, outcome: .broken, detail: "too many under way"))
        }
        inFlight.wrappingAdd(1, ordering: .relaxed)
        group.addTask {
            await self.act(capability, number, at: at)
            self.inFlight.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    private func act(_ capability: Capability, _ number: Int, at: Double) async {
        switch capability {
        case .verify: await read(number, at: at)
        case .refresh: await refresh(at: at)
        case .login: if let held = await signIn(number, at: at) { ledger.giveToEnd(held) }
        case .loginMFA: if let held = await signInWithSecondFactor(number, at: at) { ledger.giveToEnd(held) }
        case .register: await register(at: at)
        case .profile: await changeProfile(number, at: at)
        case .logout: await signOut(at: at)
        case .audit: break
        }
    }

    func record(_ sample: Sample) { ledger.add(sample) }
}

/// Why a drill could not be held, in one sentence.
package struct DrillError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
