"""What the identity service can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """Settings of the identity service; environment variables begin with IDENTITY_."""

    model_config = SettingsConfigDict(env_prefix="IDENTITY_")

    master_key_file: Path = Field(
        description="File with the master key that seals private signing keys: 32 bytes, as base64."
    )
    create_master_key: bool = Field(
        default=False,
        description="Make the file, readable by its owner only, when it is missing (laptop mode).",
    )
    local_without_login: bool = Field(
        default=True,
        description="Let requests that come over loopback in without a token, as the local provider's one user.",
    )
    signing_key_days: int = Field(
        default=30, ge=1, le=365, description="A signing key is replaced after this, in days."
    )
    token_environment: str = Field(
        default="local",
        pattern=r"^[a-z0-9]{1,16}$",
        description="Name of this installation inside its tokens, so that a leaked one can be told apart.",
    )
    tokens_per_user: int = Field(
        default=100, ge=1, le=10_000, description="Valid tokens one person may have."
    )
    token_purge_days: int = Field(
        default=90, ge=1, description="Tokens that ended are forgotten after this, in days."
    )
    nats_issuer_seed: SecretStr | None = Field(
        default=None,
        description="Seed (SA...) of the account NKey that the NATS servers name as issuer of their auth callout; "
        "unset, nobody outside gets in at NATS.",
    )
    nats_system_seed: SecretStr | None = Field(
        default=None,
        description="Seed (SU...) of the user of the NATS servers' system account who ends the connections of "
        "revoked tokens; unset, these live until their token expires, without the right to anything that needs a key.",
    )
    nats_public_url: str = Field(
        default="", description="Where integrators reach NATS; shown once together with a new token."
    )
