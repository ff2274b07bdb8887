/// Who becomes a member of a tenant by registering.
package enum MembershipPolicy: String, Sendable, Hashable, CaseIterable {
    /// Everybody.
    case open
    /// Whoever brings an invitation's code.
    case invitation
    /// Everybody, once an administrator has approved.
    case approval
}
