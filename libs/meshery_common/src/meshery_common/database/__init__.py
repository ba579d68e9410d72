"""PostgreSQL for one service: statements in a scope, transactions, idempotent commands, migrations.

The only package of the runtime that knows the driver. Must not hold SQL of a service.
"""

from meshery_common.database.commands import Command
from meshery_common.database.database import Database
from meshery_common.database.errors import (
    CommitUnknown,
    ConstraintKind,
    ConstraintViolated,
    Contended,
    StatementFailed,
)
from meshery_common.database.migrator import (
    MigrationChanged,
    MigrationError,
    MigrationFailed,
    SchemaBehind,
    SchemaNewer,
)
from meshery_common.database.scope import EVERY_ORGANIZATION, EveryOrganization, Scope
from meshery_common.database.settings import DatabaseSettings
from meshery_common.database.transaction import Queries, Row, Transaction
from meshery_common.idempotency import Repeated

__all__ = [
    "EVERY_ORGANIZATION",
    "Command",
    "CommitUnknown",
    "ConstraintKind",
    "ConstraintViolated",
    "Contended",
    "Database",
    "DatabaseSettings",
    "EveryOrganization",
    "MigrationChanged",
    "MigrationError",
    "MigrationFailed",
    "Queries",
    "Repeated",
    "Row",
    "SchemaBehind",
    "SchemaNewer",
    "Scope",
    "StatementFailed",
    "Transaction",
]
