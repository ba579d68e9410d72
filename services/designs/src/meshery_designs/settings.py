"""What the designs service can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ServiceSettings


class DesignsSettings(ServiceSettings):
    """Settings of the designs service; environment variables begin with DESIGNS_."""

    model_config = SettingsConfigDict(env_prefix="DESIGNS_")

    runs_at_once: int = Field(
        default=8, ge=1, le=100, description="Deployment runs that one process works on."
    )
    health_timeout_seconds: float = Field(
        default=300.0,
        gt=0,
        description="How long the objects of one wave may take to become healthy, in seconds.",
    )
    health_poll_seconds: float = Field(
        default=0.5, gt=0, description="Pause between two looks at the objects of a wave, in seconds."
    )
