"""Events: owns what happened: events, notifications and the audit log."""
