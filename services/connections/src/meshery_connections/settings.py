"""What the connections service can be told."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from meshery_common.bus import BusSettings
from meshery_common.settings import ServiceSettings


class ConnectionsSettings(ServiceSettings):
    """Settings of the connections service; environment variables begin with CONNECTIONS_."""

    model_config = SettingsConfigDict(env_prefix="CONNECTIONS_")

    master_key_file: Path = Field(
        description="File with the master keys that wrap the organisations' data keys: one per line, 32 bytes as "
        "base64. The first one wraps, all of them open."
    )
    create_master_key: bool = Field(
        default=False,
        description="Make the file, readable by its owner only, when it is missing (laptop mode).",
    )
    data_key_days: int = Field(
        default=90,
        ge=1,
        description="An organisation gets a new data key for new secrets after this, in days.",
    )
    allow_private_addresses: bool = Field(
        default=False, description="Accept uploaded clusters at private addresses (10/8, 172.16/12, …)."
    )
    allow_loopback_addresses: bool = Field(
        default=False, description="Accept uploaded clusters at loopback addresses (laptop mode)."
    )
    allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="More networks that uploaded clusters may be in, as CIDR, separated by commas.",
    )
    allow_insecure_tls: bool = Field(
        default=False, description="Accept uploaded kubeconfigs that switch the check of certificates off."
    )
    allow_passwords: bool = Field(
        default=False, description="Accept uploaded kubeconfigs with user name and password."
    )
    own_kubeconfig: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Kubeconfig files of this machine, separated as in $KUBECONFIG, whose contexts are offered as "
        "discovered connections (laptop mode); empty offers none.",
    )
    own_organization_id: UUID | None = Field(
        default=None, description="The organisation that the contexts of `own_kubeconfig` belong to."
    )
    own_user_id: UUID | None = Field(
        default=None, description="The person that the contexts of `own_kubeconfig` belong to."
    )
    connect_own: bool = Field(
        default=False, description="Connect the contexts of `own_kubeconfig` without asking their owner."
    )
    own_poll_seconds: float = Field(
        default=30.0, gt=0, description="Pause between two looks at `own_kubeconfig`, in seconds."
    )
    verify_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a cluster may take to say who it is, in seconds."
    )
    health_check_seconds: float = Field(
        default=15.0, gt=0, description="Pause between two health checks of a connected cluster, in seconds."
    )
    unreachable_after: int = Field(
        default=3, ge=1, description="A cluster counts as unreachable after this many failed checks in a row."
    )
    run_meshsync: bool = Field(
        default=True, description="Watch connected clusters with MeshSync processes beside this one."
    )
    meshsync_bus: BusSettings | None = Field(
        default=None,
        description="How MeshSync processes reach NATS, as a user of their own; unset: as this service.",
    )
    connections_per_meshsync: int = Field(
        default=25, ge=1, description="Clusters that one MeshSync process watches."
    )
    register_components: bool = Field(
        default=True, description="Teach the registry the kinds of connected clusters."
    )

    @field_validator("own_kubeconfig", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part).expanduser() for part in value.split(os.pathsep) if part)
        return value

    @field_validator("allow_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _own_contexts_have_an_owner(self) -> Self:
        if self.own_kubeconfig and (self.own_organization_id is None or self.own_user_id is None):
            raise ValueError("own_kubeconfig needs own_organization_id and own_user_id")
        return self
