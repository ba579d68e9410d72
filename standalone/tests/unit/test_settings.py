"""Settings: what is wrong is named, and separate processes are told the same as services in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from pydantic import ValidationError

from meshery_standalone.errors import CannotRunError, causes
from meshery_standalone.members import (
    MEMBERS,
    STATEFUL,
    Owner,
    environment_of,
    in_this_process,
    values_of,
)
from meshery_standalone.settings import StandaloneSettings, variables


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MESHERY_PORT", "high"),
        ("MESHERY_PORT", "70000"),
        ("MESHERY_SANDBOX", "maybe"),
        ("MESHERY_HOME", ""),
        ("MESHERY_LOG_LEVEL", "chatty"),
        ("MESHERY_SEPARATE", "2"),
        ("MESHERY_SANDBOX_NODES", "0"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as caught:
        StandaloneSettings()
    (line,) = variables("MESHERY", caught.value)
    assert line.startswith(f"{variable}: ")
    assert "Value error" not in line


class Servers:
    """What `values_of` asks of running servers."""

    issuer_seed = "SA"
    system_seed = "SU"
    databases: ClassVar = {
        name: {"app_url": f"postgresql://{name}", "owner_url": "postgresql://o"} for name in STATEFUL
    }

    class nats:
        url = "nats://127.0.0.1:4222"

    def bus(self, service: str) -> dict[str, Any]:
        return {"url": self.nats.url, "nkey_seed": f"SU{service}"}


def test_all_but_the_gateway_own_a_schema() -> None:
    assert {one.name for one in MEMBERS} - set(STATEFUL) == {"gateway"}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_separate_processes_are_told_the_same(
    member: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = StandaloneSettings(kubeconfig=f"{tmp_path}/a:{tmp_path}/b", connect_own=True, port=9082)
    owner = Owner(uuid4(), uuid4())
    values = values_of(member.name, settings, tmp_path, Servers(), owner)  # type: ignore[arg-type]
    together = member.settings(**values)
    for name, value in environment_of(member.name, values).items():
        monkeypatch.setenv(name, value)
    assert member.settings() == together


def test_a_name_of_two_words_is_written_as_its_settings_read_it() -> None:
    values = {"bus": {"url": "nats://x"}, "hosts": ["a"]}
    told = {"PRICE_LISTS_BUS__URL": "nats://x", "PRICE_LISTS_HOSTS": '["a"]'}
    assert environment_of("price-lists", values) == told


async def test_a_wrong_setting_of_a_service_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DESIGNS_RUNS_AT_ONCE", "0")
    (designs,) = [one for one in MEMBERS if one.name == "designs"]
    values = values_of("designs", StandaloneSettings(), tmp_path, Servers(), None)  # type: ignore[arg-type]
    with pytest.raises(CannotRunError, match="DESIGNS_RUNS_AT_ONCE"):
        async with in_this_process(designs, values):
            pass


def test_errors_inside_groups_are_found() -> None:
    inner = ValueError("x")
    group = BaseExceptionGroup("a", [ExceptionGroup("b", [inner]), KeyError("y")])
    assert [type(one) for one in causes(group)] == [ValueError, KeyError]
    assert list(causes(inner)) == [inner]
