"""Rules of identity that need nothing but their arguments: tokens, NATS logins, roles, preferences."""
