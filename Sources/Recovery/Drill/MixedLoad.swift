import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// The mix that every promise is measured under: each second 5 logins, one of them with a second factor, 1 registration,
/// 40 refreshes, 150 authenticated reads, 4 logouts, and 2 changes of a profile; or a multiple of it. Sent on schedule
/// whatever the answers do; bounded in what is under way.
package final class MixedLoad: Sendable {
    static let password = "correct horse battery staple"
    /// Requests under way at most; one more is not sent, and counts as broken.
    private static let maximumInFlight = 512

    package let ledger = Ledger()
    let client: LoadClient
    private let factor: Int
    private let start = ContinuousClock.now
    private let inFlight = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)

    /// - Parameter factor: how many times the mix is sent each second.
    package init(gateway: String, factor: Int = 1) {
        self.factor = factor
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
    package func run() async {
        await withDiscardingTaskGroup { group in
            for capability in Capability.sent {
                group.addTask { await self.send(capability) }
            }
        }
    }

    private func send(_ capability: Capability) async {
        let begin = ContinuousClock.now
        let interval = Duration.seconds(1) / (capability.perSecond * factor)
        await withDiscardingTaskGroup { group in
            var number = 0
            while !isStopping.load(ordering: .relaxed) {
                let due = begin + interval * number
                try? await Task.sleep(until: due, clock: .continuous)
                let at = (due - start) / .seconds(1)
                let turn = number
                number += 1
                guard inFlight.load(ordering: .relaxed) < Self.maximumInFlight else {
                    record(Sample(capability, at: at, outcome: .broken, detail: "too many under way"))
                    continue
                }
                inFlight.wrappingAdd(1, ordering: .relaxed)
                group.addTask {
                    await self.act(capability, turn, at: at)
                    self.inFlight.wrappingSubtract(1, ordering: .relaxed)
                }
            }
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
