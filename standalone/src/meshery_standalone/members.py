"""What each service is told in the laptop mode: the same values in one process and in separate ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from meshery_connections.app import running as connections_running
from meshery_connections.settings import ConnectionsSettings
from meshery_designs.app import running as designs_running
from meshery_designs.settings import DesignsSettings
from meshery_events.app import running as events_running
from meshery_events.settings import EventsSettings
from meshery_gateway.app import running as gateway_running
from meshery_gateway.settings import GatewaySettings
from meshery_identity.app import running as identity_running
from meshery_identity.settings import IdentitySettings
from meshery_inventory.app import running as inventory_running
from meshery_inventory.settings import InventorySettings
from meshery_registry.app import running as registry_running
from meshery_registry.settings import RegistrySettings
from meshery_standalone.errors import CannotRunError
from meshery_standalone.infrastructure import Infrastructure
from meshery_standalone.settings import StandaloneSettings, variables


@dataclass(frozen=True)
class Member:
    """A service that the laptop mode can run."""

    name: str
    settings: type[BaseSettings]
    running: Callable[[Any], AbstractAsyncContextManager[Any]]

    @property
    def token(self) -> str:
        """The name where a hyphen is not allowed: packages, environment variables."""
        return self.name.replace("-", "_")

    @property
    def stateful(self) -> bool:
        """Whether it owns a schema: its settings name a database."""
        return "database" in self.settings.model_fields


#: In the order they start: who is needed by others comes first, the way in comes last.
MEMBERS = (
    Member("identity", IdentitySettings, identity_running),
    Member("registry", RegistrySettings, registry_running),
    Member("inventory", InventorySettings, inventory_running),
    Member("connections", ConnectionsSettings, connections_running),
    Member("designs", DesignsSettings, designs_running),
    Member("events", EventsSettings, events_running),
    Member("gateway", GatewaySettings, gateway_running),
)
#: Services that own a schema.
STATEFUL = tuple(one.name for one in MEMBERS if one.stateful)


@dataclass(frozen=True)
class Owner:
    """The one person of the laptop mode, as identity knows him."""

    user_id: UUID
    organization_id: UUID


def values_of(
    member: str, settings: StandaloneSettings, home: Path, servers: Infrastructure, owner: Owner | None
) -> dict[str, Any]:
    """The settings of one service, as the fields of its settings class. `owner` is known once identity runs."""
    values: dict[str, Any] = {
        "bus": servers.bus(member),
        "telemetry": {"otlp_endpoint": settings.otlp_endpoint, "log_level": settings.log_level},
    }
    if member in STATEFUL:
        # One laptop, many services: a handful of connections each.
        values["database"] = {**servers.databases[member], "pool_min": 0}
    keys = home / "keys"
    match member:
        case "identity":
            values |= {
                "master_key_file": str(keys / "identity"),
                "create_master_key": True,
                "nats_issuer_seed": servers.issuer_seed,
                "nats_system_seed": servers.system_seed,
                "nats_public_url": servers.nats.url,
            }
        case "connections":
            values |= {
                "master_key_file": str(keys / "connections"),
                "create_master_key": True,
                "allow_private_addresses": True,
                "allow_loopback_addresses": True,
                "connect_own": settings.connect_own,
                "meshsync_bus": servers.bus("meshsync"),
            }
            if settings.kubeconfig and owner is not None:
                values |= {
                    "own_kubeconfig": settings.kubeconfig,
                    "own_organization_id": str(owner.organization_id),
                    "own_user_id": str(owner.user_id),
                }
        case "registry":
            # Whoever uses a laptop may have it fetch from anywhere: from itself, too.
            values |= {
                "master_key_file": str(keys / "registry"),
                "create_master_key": True,
                "fetch": {
                    "allow_http": True,
                    "allow_private_addresses": True,
                    "allow_loopback_addresses": True,
                    "ports": "",
                },
            }
        case "gateway":
            values |= {"host": settings.host, "port": settings.port, "commit": settings.commit}
    return values


def environment_of(member: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The same settings as environment variables of a process; a hyphen of its name is an underscore there."""
    found: dict[str, str] = {}
    token = member.replace("-", "_")

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}__{key}", inner)
        elif isinstance(value, (list, tuple)):
            found[name.upper()] = json.dumps(value)
        else:
            found[name.upper()] = str(value)

    for key, value in values.items():
        add(f"{token}_{key}", value)
    return found


@asynccontextmanager
async def in_this_process(member: Member, values: Mapping[str, Any]) -> AsyncIterator[Any]:
    """Run a service in this process for the time of the block; gives what its `running` gives.

    Raises CannotRunError for settings of the service in our own environment that are wrong.
    """
    try:
        settings = member.settings(**values)
    except ValidationError as error:
        raise CannotRunError("\n".join(variables(member.token.upper(), error))) from error
    async with member.running(settings) as served:
        yield served
