/// Why an event is not taken into the audit trail.
package enum AuditError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It is not from a service of the suite.
    case unknownSource(String)
    /// Its hash is not the one that its content gives.
    case brokenLink(source: String, position: Int64)

    package var description: String {
        switch self {
        case .unknownSource(let source): "the event's source \(source.prefix(100)) is no service of the suite"
        case .brokenLink(let source, let position):
            "the hash of event \(position) of \(source) is not the one that its content gives"
        }
    }
}
