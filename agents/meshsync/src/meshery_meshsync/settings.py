"""What the discovery agent can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ProcessSettings


class MeshsyncSettings(ProcessSettings):
    """Settings of the discovery agent; environment variables begin with MESHSYNC_."""

    model_config = SettingsConfigDict(env_prefix="MESHSYNC_")

    skipped_kinds: list[str] = Field(
        default=["leases.coordination.k8s.io", "events", "events.events.k8s.io"],
        description="Kinds that are not watched, as `plural` or `plural.group`: they change all the time.",
    )
    compare_seconds: float = Field(
        default=300.0, gt=0, description="Pause between two comparisons with what is stored, in seconds."
    )
    refused_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Pause before a kind that may not be listed is tried again, in seconds.",
    )
    linger_seconds: float = Field(
        default=0.01, ge=0, description="How long a change waits for others to share its frame, in seconds."
    )
    window: int = Field(
        default=16, ge=1, le=256, description="Frames of one cluster that are sent and not yet acknowledged."
    )
    waiting_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=1024,
        description="What may wait to be sent for one cluster, in bytes; above it the cluster is read more slowly, "
        "or, while NATS is away, compared afterwards.",
    )
    snapshots_at_once: int = Field(
        default=16, ge=1, description="Kinds that are listed at the same time, over all clusters."
    )
    page_size: int = Field(default=500, ge=1, description="Objects per page where a list cannot be streamed.")
