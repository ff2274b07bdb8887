import ArgumentParser
import Foundation
import Gateway
import LocalStack
import MicroMiddleware

extension KeyUse: ExpressibleByArgument {}

extension Keys {
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and publishes it; it does not sign yet.")

        @OptionGroup var place: Place
        @Option(help: "What it is for: access or refresh tokens.")
        var use = KeyUse.access

        func run() async throws {
            let use = use
            let (kid, keys) = try place.reading { ring throws(KeyRingError) in
                (try ring.add(use), try ring.list())
            }
            if place.json { return try DeadLetters.printJSON(keys.first { $0.kid == kid }) }
            Local.say("\(kid) verifies \(use.rawValue) tokens and signs none yet: \(try await place.noticed()).")
            if use == .access {
                Local.say(
                    "Those who verify by themselves may have the old key set for"
                        + " \(OwnEndpoints.keySetLifetimeSeconds) s more; unless a key was stolen, wait for them.")
            }
            Local.say("Next: authms keys promote \(kid)\(place.option)")
        }
    }

    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a key sign, in place of the one that signs now.",
            discussion: """
                Waits until every process must know the key, KEYS_RELOAD_INTERVAL after the ring's last change. The one that signed \
                still verifies, and can be promoted again.
                """)

        @OptionGroup var place: Place
        @Argument(help: "The key, as `authms keys list` names it.")
        var kid: String

        func run() async throws {
            let (kid, interval) = (kid, try await place.interval())
            let settled = try place.reading { ring throws(KeyRingError) in
                try ring.settles(lookedAtEvery: interval)
            }
            // A clock that was set back is not waited for: then the ring refuses.
            let wait = min(settled.timeIntervalSinceNow, Double(interval.components.seconds) + 2)
            if wait > 0 {
                let text = "Waiting \(Int(wait.rounded(.up))) s, until every process must know \(kid).\n"
                FileHandle.standardError.write(Data(text.utf8))
                try await Task.sleep(for: .milliseconds(Int(wait * 1_000) + 10))
            }
            let former = try place.reading { ring throws(KeyRingError) in
                try ring.promote(kid, lookedAtEvery: interval)
            }
            if place.json { return try DeadLetters.printJSON(["active": kid, "retiring": former]) }
            Local.say("\(kid) signs: \(try await place.noticed()).")
            guard let former else { return }
            Local.say(
                "\(former) still verifies what it signed; authms keys promote \(former)\(place.option) goes back.")
            Local.say(
                "Next, when its last token has expired, or at once if it was stolen:"
                    + " authms keys remove \(former)\(place.option) --refuse-its-tokens")
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a key out of the ring and its file away: what it signed is refused.",
            discussion: """
                A stolen key at once; another when nothing is left that it signed. For access tokens: token.lifetime after another \
                key signs, and up to 90 days for remembered devices. For refresh tokens: session.idle_timeout. A key of the audit \
                trail's ring: never, or the checkpoints that it signed cannot be verified any more.
                """)

        @OptionGroup var place: Place
        @Argument(help: "The key, as `authms keys list` names it.")
        var kid: String
        @Flag(help: "Also if it has signed: whatever is left under it is refused.")
        var refuseItsTokens = false

        func run() async throws {
            let (kid, refusing) = (kid, refuseItsTokens)
            let key = try place.reading { ring throws(KeyRingError) in
                let key = try ring.list().first { $0.kid == kid }
                try ring.remove(kid, refusingWhatItSigned: refusing)
                return key
            }
            if place.json { return try DeadLetters.printJSON(["removed": kid]) }
            Local.say("\(kid) is gone: \(try await place.noticed()).")
            guard let key, key.state != .pending else { return }
            Local.say("\(KeyRingDirectory.cost(key.use)).")
            if key.use == .access {
                Local.say(
                    "Those who verify by themselves refuse its tokens when they fetch the key set again:"
                        + " it is cached for \(OwnEndpoints.keySetLifetimeSeconds) s.")
            }
        }
    }
}
