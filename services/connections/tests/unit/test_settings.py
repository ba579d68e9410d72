"""Settings as they come from the environment."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from meshery_connections.settings import ConnectionsSettings


@pytest.fixture(autouse=True)
def least(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is no default for."""
    monkeypatch.setenv("CONNECTIONS_DATABASE__APP_URL", "postgres://x")
    monkeypatch.setenv("CONNECTIONS_MASTER_KEY_FILE", "/master.key")


def test_lists_are_written_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTIONS_OWN_KUBECONFIG", "/a:/b")
    monkeypatch.setenv("CONNECTIONS_OWN_ORGANIZATION_ID", "00000000-0000-0000-0000-000000000001")
    monkeypatch.setenv("CONNECTIONS_OWN_USER_ID", "00000000-0000-0000-0000-000000000002")
    monkeypatch.setenv("CONNECTIONS_ALLOW_NETWORKS", "10.1.0.0/16, fd00::/8")
    monkeypatch.setenv("CONNECTIONS_MESHSYNC_BUS__NKEY_SEED", "SU")
    settings = ConnectionsSettings()
    assert settings.own_kubeconfig == (Path("/a"), Path("/b"))
    assert settings.allow_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert settings.meshsync_bus is not None


def test_nothing_is_offered_or_allowed_by_default() -> None:
    settings = ConnectionsSettings()
    assert settings.own_kubeconfig == ()
    assert not settings.allow_loopback_addresses
    assert not settings.allow_private_addresses
    assert not settings.connect_own


def test_own_contexts_need_an_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTIONS_OWN_KUBECONFIG", "/a")
    with pytest.raises(ValidationError, match="own_organization_id"):
        ConnectionsSettings()
