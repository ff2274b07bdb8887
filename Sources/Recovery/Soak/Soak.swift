import ConnectionKit
import Foundation
package import LocalStack

/// Minutes of the mixed load with a fault every few seconds; in the end everything that was acknowledged is counted.
package struct Soak: Sendable {
    private let plan: StackPlan
    private let breaker: Breaker
    private let reckoner: Reckoner
    private let disk: SmallDisk?
    private let narrate: @Sendable (String) -> Void

    /// - Parameters:
    ///   - plan: of a suite that runs with proxies.
    ///   - disk: what a database of that suite lies on, if it can be filled.
    package init(
        plan: StackPlan, reckoner: Reckoner, disk: SmallDisk?, narrate: @escaping @Sendable (String) -> Void
    ) {
        self.plan = plan
        breaker = Breaker(control: ControlClient(layout: plan.layout), links: LinkClient(layout: plan.layout))
        self.reckoner = reckoner
        self.disk = disk
        self.narrate = narrate
    }

    /// - Parameters:
    ///   - every: from the beginning of a fault to that of the next; it lasts half as long, if it does not end by itself.
    ///   - seed: decides which faults come in which order.
    /// - Throws: `DrillError`, `LocalStackError` when the soak cannot be held.
    package func run(for duration: Duration, every: Duration, seed: UInt64) async throws -> SoakReport {
        var report = SoakReport(startedAt: Date(), seed: seed, hasSmallDisk: disk != nil)
        let load = MixedLoad(gateway: plan.layout.url(of: .gateway))
        do {
            narrate("Making users and sessions …")
            try await load.prepare()
            report.faults = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await load.run() }
                defer { load.stop() }
                return try await faults(for: duration, every: every, seed: seed, load)
            }
            try await breaker.waitUntilReady()
            narrate("Counting what was acknowledged …")
            report.count(load.ledger.samples)
            report.reckoning = try await reckoner.reckon(load, deadline: .after(.seconds(120)))
        } catch {
            await load.close()
            throw error
        }
        await load.close()
        return report
    }

    private func faults(
        for duration: Duration, every: Duration, seed: UInt64, _ load: MixedLoad
    ) async throws -> [SoakReport.Fault] {
        var generator = SeededGenerator(seed: seed)
        var deck: [SoakFault] = []
        var held: [SoakReport.Fault] = []
        let begin = ContinuousClock.now
        while begin.duration(to: .now) + every < duration {
            let next = ContinuousClock.now + every
            if deck.isEmpty { deck = SoakFault.deck(hasSmallDisk: disk != nil, using: &generator).reversed() }
            guard let fault = deck.popLast() else { break }
            let from = load.elapsed
            narrate("\(Int(from)) s: \(fault.name)")
            try await hold(fault, for: every / 2)
            held.append(SoakReport.Fault(name: fault.name, from: from, to: load.elapsed))
            try await Task.sleep(until: next, clock: .continuous)
        }
        // What was mended last has time to heal under load.
        try await Task.sleep(for: every / 2)
        return held
    }

    private func hold(_ fault: SoakFault, for time: Duration) async throws {
        switch fault.kind {
        case .cause(let cause):
            do {
                try await breaker.make(cause)
                if cause.fault != .killed { try await Task.sleep(for: time) }
            } catch {
                await breaker.mendAnyway(cause)
                throw error
            }
            try await breaker.mend(cause)
        case .memoryAlarm:
            let broker = BrokerControl(plan.rabbitMQ)
            try await broker.run(["set_vm_memory_high_watermark", "absolute", "1MB"])
            try? await Task.sleep(for: time)
            try await broker.run(["set_vm_memory_high_watermark", "absolute", "512MB"])
        case .fullDisk:
            guard let disk, let database = plan.databases[.identity] else { return }
            do {
                try await disk.fill(superuserURL: database.ownSuperuserURL)
                try await Task.sleep(for: time)
            } catch {
                try disk.clear()
                throw error
            }
            try disk.clear()
        }
    }
}
