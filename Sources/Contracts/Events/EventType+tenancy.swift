extension EventType {
    package static let tenantSuspended = EventType(rawValue: "identity.tenant.suspended")
    package static let tenantResumed = EventType(rawValue: "identity.tenant.resumed")
    /// A user went to work in another of their tenants; the event is that tenant's.
    package static let tenantSwitched = EventType(rawValue: "identity.tenant.switched")
    package static let roleCreated = EventType(rawValue: "identity.role.created")
    package static let roleUpdated = EventType(rawValue: "identity.role.updated")
    package static let roleDeleted = EventType(rawValue: "identity.role.deleted")
    /// A user of another tenant became a member, by an invitation.
    package static let membershipCreated = EventType(rawValue: "identity.membership.created")
    package static let membershipApproved = EventType(rawValue: "identity.membership.approved")
    package static let membershipRejected = EventType(rawValue: "identity.membership.rejected")
    /// A user is no member any more: the session service ends what they do in that tenant.
    package static let membershipRemoved = EventType(rawValue: "identity.membership.removed")
    package static let invitationCreated = EventType(rawValue: "identity.invitation.created")
    package static let invitationRevoked = EventType(rawValue: "identity.invitation.revoked")
    /// Somebody with the internal secret got an owner's token.
    package static let operatorAdmitted = EventType(rawValue: "identity.operator.admitted")
    /// An administrator made an account for somebody.
    package static let userCreated = EventType(rawValue: "identity.user.created")
}
