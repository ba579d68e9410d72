"""Real servers as child processes, without Docker: PostgreSQL, NATS and a Kubernetes control plane.

For the laptop mode, the playground and the tests. Must not import any other library of the project.
"""

from meshery_embedded.errors import (
    BuildError,
    DataInUseError,
    DataVersionError,
    EmbeddedError,
    MissingProgramError,
    PortTakenError,
    StartError,
)
from meshery_embedded.nats import NATSServer, nats_server
from meshery_embedded.postgres import PostgresServer, postgres

__all__ = [
    "BuildError",
    "DataInUseError",
    "DataVersionError",
    "EmbeddedError",
    "MissingProgramError",
    "NATSServer",
    "PortTakenError",
    "PostgresServer",
    "StartError",
    "nats_server",
    "postgres",
]
