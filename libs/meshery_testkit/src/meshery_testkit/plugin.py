"""What pytest loads: every fixture of the kit, and nothing else."""

from meshery_testkit.nats import nats, people
from meshery_testkit.postgres import database_for, postgres_server

__all__ = ["database_for", "nats", "people", "postgres_server"]
