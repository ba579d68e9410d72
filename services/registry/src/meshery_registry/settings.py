"""What the registry service can be told."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from meshery_common.settings import ServiceSettings


class FetchSettings(BaseModel):
    """What imports may fetch when a person names an address. Public servers over https, unless told otherwise."""

    model_config = ConfigDict(frozen=True)

    allow_http: bool = Field(
        default=False, description="Fetch over http, too: nobody vouches for the answer."
    )
    allow_private_addresses: bool = Field(
        default=False, description="Fetch from private addresses (10/8, 172.16/12, …)."
    )
    allow_loopback_addresses: bool = Field(
        default=False, description="Fetch from loopback addresses (laptop mode)."
    )
    allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="More networks to fetch from, as CIDR, separated by commas: of internal git and chart servers.",
    )
    ports: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(80, 443), description="Ports to fetch from, separated by commas; empty: every port."
    )
    max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="Largest file that is fetched or unpacked, in bytes."
    )
    connect_seconds: float = Field(default=5.0, gt=0, description="Wait for a connection, in seconds.")
    total_seconds: float = Field(
        default=60.0, gt=0, description="How long one file may take in all, in seconds."
    )
    redirects: int = Field(default=3, ge=0, le=10, description="Redirects that are followed.")
    github_url: str = Field(default="https://github.com", description="Where GitHub is.")
    artifact_hub_url: str = Field(default="https://artifacthub.io", description="Where Artifact Hub is.")

    @field_validator("allow_networks", "ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


class RegistrySettings(ServiceSettings):
    """Settings of the registry service; environment variables begin with REGISTRY_."""

    model_config = SettingsConfigDict(env_prefix="REGISTRY_")

    max_document_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="Largest OpenAPI document once unpacked, in bytes."
    )
    registrations_at_once: int = Field(
        default=4, ge=1, le=64, description="OpenAPI documents that one process works on; others wait."
    )
    store_contents: bool = Field(
        default=True, description="Store the models that ship with the service at its start."
    )
    most_quarantined: int = Field(
        default=1000,
        ge=0,
        description="Definitions of unproven registrants that may wait for approval in one organisation.",
    )
    validation_seconds: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="What validating the values of one request may take, in seconds.",
    )
    kept_answers_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="Answers to lists that are kept in memory until the registry changes, in bytes.",
    )
    policy_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="What one policy may take for one design or its tests, in seconds.",
    )
    evaluations_kept: int = Field(
        default=200, ge=0, description="Evaluated designs that are kept so that a change is evaluated alone."
    )
    evaluations_kept_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="What these designs may have together, in bytes of JSON; in memory they take some ten times as "
        "much.",
    )
    opa_url: str = Field(
        default="",
        description="Base URL of an OPA server that evaluates Rego policies, one for each registry process; "
        "without it they are kept and not evaluated.",
    )
    opa_token: SecretStr | None = Field(default=None, description="Bearer token for that server.")
    fetch: FetchSettings = Field(default_factory=FetchSettings)
    master_key_file: Path | None = Field(
        default=None,
        description="File with the master key that seals credentials of private sources until they are fetched: 32 "
        "bytes, as base64. Without it imports take no credentials.",
    )
    create_master_key: bool = Field(
        default=False,
        description="Make the file, readable by its owner only, when it is missing (laptop mode).",
    )
    imports_at_once: int = Field(
        default=2, ge=1, le=32, description="Imports that one process works on; others wait."
    )
    import_read_seconds: float = Field(
        default=120.0, gt=0, description="How long reading one source may take, in seconds."
    )
    import_memory_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=256 * 1024 * 1024,
        description="Memory of the process that reads sources, in bytes.",
    )
