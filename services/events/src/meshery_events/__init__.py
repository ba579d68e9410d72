"""Events: owns what happened, for people to read and as the audit log. It makes nothing happen itself."""
