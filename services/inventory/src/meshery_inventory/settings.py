"""What inventory can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ServiceSettings


class InventorySettings(ServiceSettings):
    """Settings of inventory; environment variables begin with INVENTORY_."""

    model_config = SettingsConfigDict(env_prefix="INVENTORY_")

    idle_seconds: float = Field(
        default=0.02,
        gt=0,
        description="A batch of frames is stored when no other came for this long, in seconds.",
    )
    gather_seconds: float = Field(
        default=0.1, gt=0, description="A batch of frames is stored after this at the latest, in seconds."
    )
    batch_frames: int = Field(default=64, ge=1, le=1000, description="Frames that are taken at once.")
    stream_bytes: int = Field(
        default=1 << 30, ge=1 << 20, description="What the stream of frames may hold, in bytes."
    )
    stream_seconds: float = Field(
        default=3600.0, gt=0, description="How long the stream keeps a frame, in seconds."
    )
