package import Foundation

/// What a refresh token says of its session, so that an access token can still be given when nothing can be asked.
///
/// It holds what the access token beside it holds, and when it was used so, and nothing more: no name, no address. The session database stays the
/// authority: the grant is used only while it is away, and for an hour after it was written
/// (``RefreshGrant/maximumAge``).
package struct RefreshGrant: Sendable, Hashable {
    /// How long after the session database confirmed a session its word may stand in for it.
    package static let maximumAge = Duration.seconds(3_600)
    /// How long an access token is good for that was given on a grant.
    package static let accessTokenLifetime = Duration.seconds(300)
    /// Larger grants are left out of their token, which then works only with the database there.
    static let maximumByteCount = 1_024

    package var userID: UUID
    package var tenantID: UUID
    package var roles: [String]
    /// `amr` (RFC 8176).
    package var methods: [String]
    package var mustChangePassword: Bool
    /// Milliseconds, as the other times here: to be compared with when a password was changed.
    package var authenticatedAt: Date
    /// When the session database last confirmed the session.
    package var confirmedAt: Date
    package var userCreatedAt: Date
    /// When the token was given back without the session database.
    package var fallbacks: RefreshFallbacks

    package init(
        userID: UUID, tenantID: UUID, roles: [String], methods: [String], mustChangePassword: Bool,
        authenticatedAt: Date, confirmedAt: Date, userCreatedAt: Date, fallbacks: RefreshFallbacks = .none
    ) {
        self.userID = userID
        self.tenantID = tenantID
        self.roles = roles
        self.methods = methods
        self.mustChangePassword = mustChangePassword
        self.authenticatedAt = Date(milliseconds: authenticatedAt.wholeMilliseconds)
        self.confirmedAt = Date(milliseconds: confirmedAt.wholeMilliseconds)
        self.userCreatedAt = Date(milliseconds: userCreatedAt.wholeMilliseconds)
        self.fallbacks = fallbacks
    }

    /// Whether the grant may still be used at a moment. One from the future is not ours to use either: a clock is wrong.
    package func isFresh(at now: Date) -> Bool {
        let age = now.timeIntervalSince(confirmedAt)
        return age > -60 && age < Double(Self.maximumAge.components.seconds)
    }
}

// MARK: - Bytes

extension RefreshGrant {
    /// `flags (1) ‖ user (16) ‖ tenant (16) ‖ authenticated (8) ‖ confirmed (8) ‖ user created (8) ‖ methods ‖ roles`, the
    /// lists as a count and length-prefixed texts; then, where the second flag says so, the fallbacks: `edition (8) ‖ count (1) ‖
    /// first (8), last (8) of each`. `nil` when that is too much to carry.
    var bytes: [UInt8]? {
        var writer = ByteWriter()
        writer.write(UInt8((mustChangePassword ? 1 : 0) | (fallbacks == .none ? 0 : 2)))
        writer.write(userID)
        writer.write(tenantID)
        for date in [authenticatedAt, confirmedAt, userCreatedAt] {
            writer.write(UInt64(bitPattern: date.wholeMilliseconds))
        }
        guard writer.write(methods), writer.write(roles) else { return nil }
        if fallbacks != .none {
            writer.write(UInt64(fallbacks.edition))
            writer.write(UInt8(clamping: fallbacks.spans.count))
            for date in fallbacks.spans.flatMap({ [$0.lowerBound, $0.upperBound] }) {
                writer.write(UInt64(bitPattern: date.wholeMilliseconds))
            }
        }
        return writer.bytes.count <= Self.maximumByteCount ? writer.bytes : nil
    }

    /// Reads exactly what ``bytes`` writes.
    init?(bytes: ArraySlice<UInt8>) {
        var reader = ByteReader(bytes)
        guard bytes.count <= Self.maximumByteCount,
            let flags = reader.byte(), flags <= 3, let userID = reader.uuid(), let tenantID = reader.uuid(),
            let authenticatedAt = reader.integer(), let confirmedAt = reader.integer(),
            let userCreatedAt = reader.integer(), let methods = reader.texts(), let roles = reader.texts(),
            let fallbacks = flags & 2 == 0 ? RefreshFallbacks.none : reader.fallbacks(),
            reader.isAtEnd
        else { return nil }
        func date(_ milliseconds: UInt64) -> Date { Date(milliseconds: Int64(bitPattern: milliseconds)) }
        self.init(
            userID: userID, tenantID: tenantID, roles: roles, methods: methods, mustChangePassword: flags & 1 == 1,
            authenticatedAt: date(authenticatedAt), confirmedAt: date(confirmedAt), userCreatedAt: date(userCreatedAt),
            fallbacks: fallbacks)
    }
}

extension Date {
    fileprivate init(milliseconds: Int64) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }

    /// Rounded, so that reading back what was written gives the same.
    fileprivate var wholeMilliseconds: Int64 { Int64((timeIntervalSince1970 * 1_000).rounded()) }
}

/// Writes big-endian numbers and short texts.
private struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ byte: UInt8) { bytes.append(byte) }

    mutating func write(_ integer: UInt64) {
        withUnsafeBytes(of: integer.bigEndian) { bytes += $0 }
    }

    mutating func write(_ id: UUID) {
        withUnsafeBytes(of: id.uuid) { bytes += $0 }
    }

    /// False when there are too many texts, or one is too long.
    mutating func write(_ texts: [String]) -> Bool {
        guard texts.count <= 255 else { return false }
        write(UInt8(texts.count))
        for text in texts {
            let utf8 = Array(text.utf8)
            guard utf8.count <= 255 else { return false }
            write(UInt8(utf8.count))
            bytes += utf8
        }
        return true
    }
}

/// Reads what ``ByteWriter`` wrote; `nil` past the end.
private struct ByteReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func integer() -> UInt64? {
        take(8).map { $0.reduce(0) { $0 << 8 | UInt64($1) } }
    }

    mutating func uuid() -> UUID? {
        take(16).map(UUID.init(bytes:))
    }

    mutating func texts() -> [String]? {
        guard let count = byte() else { return nil }
        var texts: [String] = []
        for _ in 0..<count {
            guard let length = byte(), let utf8 = take(Int(length)), let text = String(validating: utf8, as: UTF8.self)
            else { return nil }
            texts.append(text)
        }
        return texts
    }

    mutating func fallbacks() -> RefreshFallbacks? {
        guard let edition = integer(), let count = byte() else { return nil }
        var spans: [ClosedRange<Date>] = []
        for _ in 0..<count {
            guard let first = integer(), let last = integer() else { return nil }
            let (from, to) = (Int64(bitPattern: first), Int64(bitPattern: last))
            guard from <= to else { return nil }
            spans.append(Date(milliseconds: from)...Date(milliseconds: to))
        }
        return RefreshFallbacks(edition: edition, spans: spans)
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

extension UUID {
    /// - Precondition: 16 bytes.
    init(bytes: ArraySlice<UInt8>) {
        precondition(bytes.count == 16, "a UUID has 16 bytes")
        var value = UUID().uuid
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
        self.init(uuid: value)
    }
}
