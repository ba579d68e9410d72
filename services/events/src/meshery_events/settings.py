"""What the events service can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshery_common.settings import ServiceSettings


class EventsSettings(ServiceSettings):
    """Settings of the events service; environment variables begin with EVENTS_."""

    model_config = SettingsConfigDict(env_prefix="EVENTS_")

    retention_days: int = Field(
        default=90, ge=14, le=3650, description="Events are removed after this; streams keep less, in days."
    )
    batch_size: int = Field(
        default=500, ge=1, le=1000, description="Facts stored in one statement at most, in facts."
    )
