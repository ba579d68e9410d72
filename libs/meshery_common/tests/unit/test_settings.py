"""Settings from the environment and from mounted files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ServiceSettings


class ThingsSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="THINGS_")

    most: int = Field(default=3, description="The most things, in things.")


APP_URL = "THINGS_DATABASE__APP_URL"


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHERY_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_names_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(APP_URL, "postgres://x")
    monkeypatch.setenv("THINGS_MOST", "5")
    monkeypatch.setenv("THINGS_BUS__MAX_IN_FLIGHT", "7")
    monkeypatch.setenv("THINGS_TELEMETRY__OTLP_ENDPOINT", "http://collector:4318")
    settings = ThingsSettings()
    assert settings.database.app_url.get_secret_value() == "postgres://x"
    assert (settings.most, settings.bus.max_in_flight) == (5, 7)
    assert settings.telemetry.otlp_endpoint == "http://collector:4318"


def test_secrets_in_files_nested_ones_too(mounted: Path) -> None:
    (mounted / APP_URL).write_text("postgres://from-file\n")
    (mounted / "things_bus__nkey_seed").write_text("SUSEED")
    (mounted / "SOMEBODY_ELSES").write_text("x")
    (mounted / "..data").mkdir()
    settings = ThingsSettings()
    assert settings.database.app_url.get_secret_value() == "postgres://from-file"
    assert settings.bus.nkey_seed is not None
    assert settings.bus.nkey_seed.get_secret_value() == "SUSEED"


def test_a_variable_goes_before_a_file_and_merges_with_it(
    mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounted / APP_URL).write_text("postgres://from-file")
    (mounted / "THINGS_MOST").write_text("1")
    monkeypatch.setenv("THINGS_MOST", "2")
    monkeypatch.setenv("THINGS_DATABASE__POOL_MAX", "9")
    settings = ThingsSettings()
    assert (settings.most, settings.database.pool_max) == (2, 9)
    assert settings.database.app_url.get_secret_value() == "postgres://from-file"


def test_they_are_frozen_and_take_no_unknown_field() -> None:
    settings = ThingsSettings(database={"app_url": "postgres://x"})
    with pytest.raises(ValidationError):
        settings.most = 4  # type: ignore[misc]  # what is tested
    with pytest.raises(ValidationError):
        ThingsSettings(database={"app_url": "x"}, mist=4)  # type: ignore[call-arg]


def test_secrets_are_not_shown() -> None:
    settings = ThingsSettings(
        database={"app_url": "postgres://u:pw@h"},
        bus={"nkey_seed": "SUSEED"},
    )
    assert "pw" not in repr(settings)
    assert "SUSEED" not in repr(settings) + settings.model_dump_json()
