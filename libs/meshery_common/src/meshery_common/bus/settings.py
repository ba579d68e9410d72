"""How a process reaches NATS."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from meshery_common.context import MESSAGE_BYTES


class BusSettings(BaseModel):
    """The connection to NATS and its limits."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(default="nats://127.0.0.1:4222", description="NATS servers, separated by commas.")
    nkey_seed: SecretStr | None = Field(
        default=None, description="Seed of the service's NKey (begins with SU); unset connects without one."
    )
    user: str = Field(default="", description="User name, for an integrator or agent without an NKey.")
    password: SecretStr | None = Field(default=None, description="Password or token beside `user`.")
    max_in_flight: int = Field(
        default=256, ge=1, description="Requests handled at once; more are refused as unavailable."
    )
    max_message_bytes: int = Field(
        default=MESSAGE_BYTES, ge=1024, description="Largest request or reply that is sent directly."
    )
    max_large_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        description="Largest request or reply at all, in bytes: what is larger than one message is fetched in parts.",
    )
    large_bytes_at_once: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        description="Memory that such large requests and replies take at most, in bytes; more are refused as "
        "unavailable.",
    )
    connect_timeout_seconds: float = Field(default=2.0, gt=0, description="Wait for one connection attempt.")

    @model_validator(mode="after")
    def _the_largest_finds_room(self) -> Self:
        if self.large_bytes_at_once < self.max_large_bytes:
            raise ValueError("large_bytes_at_once must be at least max_large_bytes")
        return self
