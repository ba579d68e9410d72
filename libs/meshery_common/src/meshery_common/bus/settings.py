"""How a process reaches NATS."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


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
        default=4 * 1024 * 1024, ge=1024, description="Largest request or reply that is sent directly."
    )
    connect_timeout_seconds: float = Field(default=2.0, gt=0, description="Wait for one connection attempt.")
