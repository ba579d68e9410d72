"""Real parts for tests: PostgreSQL, NATS and a Kubernetes control plane as pytest fixtures, and builders."""
