"""What a service under test is told, told to a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from meshery_common.bus.settings import BusSettings
from meshery_common.database import DatabaseSettings
from meshery_common.settings import ServiceSettings
from meshery_testkit.crashing import environment_of


class ThingsSettings(ServiceSettings):
    """Settings of every kind of value."""

    model_config = SettingsConfigDict(env_prefix="THINGS_")

    names: tuple[str, ...] = Field(default=(), description="A list.")
    folder: Path | None = Field(default=None, description="A path.")
    quick: bool = Field(default=False, description="A flag.")


def test_a_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ThingsSettings(
        database=DatabaseSettings(app_url=SecretStr("postgres://app"), pool_max=2),
        bus=BusSettings(url="nats://x", nkey_seed=SecretStr("SU")),
        names=("a, b", "c"),
        folder=Path("/x"),
    ).model_copy(update={"quick": True})
    for name, value in environment_of(settings).items():
        assert name.startswith("THINGS_")
        monkeypatch.setenv(name, value)
    read = ThingsSettings()  # the environment has the rest
    assert read.telemetry.log_format == "json"
    assert read.model_dump(exclude={"telemetry"}) == settings.model_dump(exclude={"telemetry"})
