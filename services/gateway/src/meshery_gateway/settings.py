"""What the gateway can be told."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import Field, IPvAnyNetwork, model_validator
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ProcessSettings


class GatewaySettings(ProcessSettings):
    """Settings of the gateway; environment variables begin with GATEWAY_."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=9081, ge=0, le=65535, description="TCP port for HTTP; 0 takes a free one.")
    public_url: str = Field(
        default="",
        description="The address that people use, e.g. https://meshery.example.org; empty on a laptop.",
    )
    commit: str = Field(
        default="unknown", description="The commit that was built, as the version is told with."
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="More host names that requests may be for, beside the public URL's and loopback.",
    )
    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        description="Largest request body, in bytes, where nothing else is said.",
    )
    max_design_bytes: int = Field(
        default=24 * 1024 * 1024, ge=1024, description="Largest request body of the design routes, in bytes."
    )
    large_bodies_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        description="Bytes of large requests and answers that are in memory at once; more are refused as unavailable. "
        "While a file is imported it takes some four times its size.",
    )
    body_idle_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a client may send nothing of a request body, in seconds. It has to bring 16 KiB per "
        "second on average, however large it is.",
    )
    head_idle_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a new connection may take until the head of its first request is there, in seconds; "
        "twice as long at most.",
    )
    operation_wait_seconds: float = Field(
        default=60.0,
        gt=0,
        description="How long routes that deploy or import wait for the outcome before they answer, in seconds.",
    )
    registrant_networks: list[IPvAnyNetwork] = Field(
        default_factory=list,
        description="Networks, e.g. 10.0.0.0/8, from which registrants may push definitions without a token, into the "
        "quarantine; empty lets nobody do so.",
    )
    registrant_organization: UUID | None = Field(
        default=None, description="The organisation whose quarantine takes what is pushed without a token."
    )
    session_renew_seconds: float = Field(
        default=60.0, gt=0, le=100, description="After this the gateway asks identity again who somebody is."
    )
    stream_keep_alive_seconds: float = Field(
        default=15.0, gt=0, description="Pause after which an idle event stream gets a comment, in seconds."
    )
    graphql_max_depth: int = Field(default=12, ge=2, description="Deepest nesting of a GraphQL document.")
    graphql_max_cost: int = Field(default=20_000, ge=10, description="Most fields a GraphQL answer may have.")

    @model_validator(mode="after")
    def _quarantine_has_an_owner(self) -> Self:
        if self.registrant_networks and self.registrant_organization is None:
            raise ValueError(
                "registrant_networks needs registrant_organization: whose quarantine takes the pushes"
            )
        return self
