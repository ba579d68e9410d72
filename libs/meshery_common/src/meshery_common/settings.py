"""The base of every service's settings: frozen, from the environment, every field described.

A service's class names its prefix, e.g. `DESIGNS_`; nested values use two underscores:
`DESIGNS_DATABASE__APP_URL`. A value may stand instead in a file of the variable's name, in the folder that
`MESHERY_SECRETS_DIR` names: that is how secrets are mounted. The environment goes before files.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from meshery_common.bus.settings import BusSettings
from meshery_common.database.settings import DatabaseSettings
from meshery_common.health import HealthSettings
from meshery_common.telemetry import TelemetrySettings

SECRETS_FOLDER = "MESHERY_SECRETS_DIR"


class ProcessSettings(BaseSettings):
    """What every process of ours can be told. Subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(frozen=True, env_nested_delimiter="__", extra="forbid")

    bus: BusSettings = Field(default_factory=BusSettings, description="How the process reaches NATS.")
    health: HealthSettings = Field(default_factory=HealthSettings, description="Probes and metrics.")
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings, description="Logs and traces.")
    stop_grace_seconds: float = Field(
        default=20.0, gt=0, description="How long requests in flight may take at a stop, in seconds."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then files. No `.env`: what a folder holds must not change a process."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


class ServiceSettings(ProcessSettings):
    """What every service that owns a schema can be told."""

    database: DatabaseSettings = Field(description="The service's own schema in PostgreSQL.")


class _SecretFiles(EnvSettingsSource):
    """Files in place of variables, nested values included (the library's own source knows top-level fields only)."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        folder = os.environ.get(SECRETS_FOLDER)
        files = Path(folder).iterdir() if folder else ()
        # Kubernetes mounts links beside hidden folders; editors leave a line break at the end.
        self.env_vars = {
            file.name.lower(): file.read_text(encoding="utf-8").rstrip("\r\n")
            for file in files
            if file.is_file() and not file.name.startswith(".")
        }
