"""Real PostgreSQL, NATS and Kubernetes control planes as child processes."""
