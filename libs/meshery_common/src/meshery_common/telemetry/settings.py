"""What a process is told about its telemetry."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TelemetrySettings(BaseModel):
    """Where logs, traces and metrics go."""

    model_config = ConfigDict(frozen=True)

    log_level: str = Field(
        default="INFO", description="Least level that is logged: DEBUG, INFO, WARNING, ERROR."
    )
    log_format: str = Field(default="auto", description="console, json, or auto (console on a terminal).")
    otlp_endpoint: str = Field(
        default="", description="Base URL of an OTLP/HTTP collector; empty switches export off."
    )
    sample_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of new traces that are recorded.")
    metrics_interval_seconds: float = Field(
        default=30.0, gt=0, description="How often metrics are sent to the collector, in seconds."
    )
