"""What the registry service can be told."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ServiceSettings


class RegistrySettings(ServiceSettings):
    """Settings of the registry service; environment variables begin with REGISTRY_."""

    model_config = SettingsConfigDict(env_prefix="REGISTRY_")

    max_document_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="Largest OpenAPI document once unpacked, in bytes."
    )
    registrations_at_once: int = Field(
        default=4, ge=1, le=64, description="OpenAPI documents that one process works on; others wait."
    )
    policy_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="What one policy may take for one design or its tests, in seconds.",
    )
    opa_url: str = Field(
        default="",
        description="Base URL of an OPA server that evaluates Rego policies, one for each registry process; "
        "without it they are kept and not evaluated.",
    )
    opa_token: SecretStr | None = Field(default=None, description="Bearer token for that server.")
