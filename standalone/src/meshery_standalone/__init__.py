"""Every service in one process on embedded PostgreSQL and NATS. The only member that imports services."""
