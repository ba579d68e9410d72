"""The base of every service's settings: frozen, from the environment, every field described.

A service's class names its prefix, e.g. `DESIGNS_`; nested values use two underscores:
`DESIGNS_DATABASE__APP_URL`. Secrets may be mounted as files in the folder that `MESHERY_SECRETS_DIR` names.
"""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from meshery_common.bus.settings import BusSettings
from meshery_common.database.settings import DatabaseSettings
from meshery_common.health import HealthSettings
from meshery_common.telemetry import TelemetrySettings


class ProcessSettings(BaseSettings):
    """What every process of ours can be told. Subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_nested_delimiter="__",
        secrets_dir=os.environ.get("MESHERY_SECRETS_DIR"),
        extra="forbid",
    )

    bus: BusSettings = Field(default_factory=BusSettings, description="How the process reaches NATS.")
    health: HealthSettings = Field(default_factory=HealthSettings, description="Probes and metrics.")
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings, description="Logs and traces.")
    stop_grace_seconds: float = Field(
        default=20.0, gt=0, description="How long requests in flight may take at a stop, in seconds."
    )


class ServiceSettings(ProcessSettings):
    """What every service that owns a schema can be told."""

    database: DatabaseSettings = Field(description="The service's own schema in PostgreSQL.")
