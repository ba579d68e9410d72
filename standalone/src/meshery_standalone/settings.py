"""What the laptop mode can be told. It sets everything of the services itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class StandaloneSettings(BaseSettings):
    """Settings of the laptop mode; environment variables begin with MESHERY_."""

    model_config = SettingsConfigDict(env_prefix="MESHERY_", frozen=True)

    home: Path = Field(
        default_factory=lambda: Path.home() / ".meshery" / "config", description="Where all data is kept."
    )
    host: str = Field(default="127.0.0.1", description="Address that the gateway listens on.")
    port: int = Field(
        default=9081, ge=0, le=65535, description="TCP port of the gateway; 0 takes a free one."
    )
    nats_port: int = Field(
        default=4222, ge=0, le=65535, description="TCP port of NATS; the next free one when it is taken."
    )
    nats_monitor_port: int = Field(
        default=8222,
        ge=0,
        le=65535,
        description="TCP port of NATS's monitor; the next free one when it is taken.",
    )
    sandbox: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether a sandbox cluster is run: auto (when there is no kubeconfig), on, off.",
    )
    sandbox_nodes: int = Field(default=2, ge=1, le=100, description="Nodes of the sandbox cluster.")
    kubeconfig: str = Field(
        default_factory=lambda: os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config")),
        description="Kubeconfig files whose contexts are offered, separated as in $KUBECONFIG; empty for none.",
    )
    connect_own: bool = Field(
        default=False, description="Connect the contexts of `kubeconfig` without asking."
    )
    separate: bool = Field(
        default=False, description="Run every service as a process of its own instead of all in one."
    )
    durable: bool = Field(
        default=True, description="Whether data survives a loss of power; tests switch it off for speed."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level in the log file."
    )
    commit: str = Field(default="unknown", description="The commit that runs, as the version is told with.")
    otlp_endpoint: str = Field(
        default="", description="Base URL of an OTLP/HTTP collector for traces, logs and metrics."
    )

    def kubeconfig_files(self) -> list[Path]:
        """The files of `kubeconfig` that are there."""
        files = [Path(one).expanduser() for one in self.kubeconfig.split(os.pathsep) if one]
        return [file for file in files if file.exists()]

    @field_validator("home", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        # An empty path would be the current folder, which nobody means.
        if value == "":
            raise ValueError("is empty; name a folder, or unset the variable")
        return value


def variables(prefix: str, error: ValidationError) -> Iterator[str]:
    """Which environment variables are wrong and why, a line for each."""
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        name = "__".join(str(part) for part in one["loc"]).upper() or "*"
        yield f"{prefix}_{name}: {one['msg'].removeprefix('Value error, ')}"
