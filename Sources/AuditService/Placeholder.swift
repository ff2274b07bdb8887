enum AuditServicePlaceholder {}
