"""What a service must know to reach its database."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class DatabaseSettings(BaseModel):
    """The connection of one service. Part of the service's own settings class."""

    model_config = ConfigDict(frozen=True)

    app_url: SecretStr = Field(
        description="postgres:// address with the service's app role: reads and writes rows, nothing else."
    )
    owner_url: SecretStr | None = Field(
        default=None,
        description="postgres:// address with the service's owner role. When set, the service migrates its own "
        "schema at start; when not, it refuses to start on a schema that is not up to date.",
    )
    pool_min: int = Field(default=1, ge=0, le=100, description="Connections kept open, in connections.")
    pool_max: int = Field(default=8, ge=1, le=500, description="Connections opened at most, in connections.")
    acquire_timeout_seconds: float = Field(
        default=2.0, gt=0, description="How long a statement waits for a free connection, in seconds."
    )
    connect_timeout_seconds: float = Field(
        default=5.0, gt=0, description="How long one attempt to connect may take, in seconds."
    )
    statement_timeout_seconds: float = Field(
        default=5.0, gt=0, description="After this PostgreSQL ends a statement, in seconds."
    )
    lock_timeout_seconds: float = Field(
        default=2.0, gt=0, description="How long a statement waits for a row or table lock, in seconds."
    )
    idle_in_transaction_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        description="After this PostgreSQL ends a transaction that does nothing, in seconds.",
    )
    idle_connection_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Unused connections above `pool_min` are closed after this, in seconds.",
    )
    connection_lifetime_seconds: float = Field(
        default=3600.0,
        gt=0,
        description="A connection is replaced after this, so that changed passwords and fail-overs take, in seconds.",
    )
    migration_statement_timeout_seconds: float = Field(
        default=600.0, gt=0, description="After this one statement of a migration is ended, in seconds."
    )
    migration_lock_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        description="How long a migration waits for a lock before it backs off, in seconds.",
    )
