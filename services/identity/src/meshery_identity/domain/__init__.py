"""Rules of identity that need nothing but their arguments: tokens, seals, NATS logins, roles, preferences."""
