"""The NATS service protocol (ADR-32): `nats micro ls|info|stats|ping` shows us like any NATS service.

Field types follow the published schemas io.nats.micro.v1.*: a description is always text, `data` an object,
times are nanoseconds.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from meshery_common.bus.dispatch import Dispatcher, EndpointStats
from meshery_contracts.keys import Key


class ServiceProtocol:
    """Answers PING, INFO and STATS for one service instance."""

    def __init__(self, service: str, version: str, dispatcher: Dispatcher) -> None:
        self._name = service_name(service)
        self._version = version
        self._id = secrets.token_hex(11)
        self._started = datetime.now(UTC)
        self._dispatcher = dispatcher

    def subjects(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """The nine subjects to listen on and what answers each."""
        for verb, answer in (("PING", self.ping), ("INFO", self.info), ("STATS", self.stats)):
            yield f"$SRV.{verb}", answer
            yield f"$SRV.{verb}.{self._name}", answer
            yield f"$SRV.{verb}.{self._name}.{self._id}", answer

    def _base(self, kind: str) -> dict[str, Any]:
        return {
            "type": f"io.nats.micro.v1.{kind}",
            "name": self._name,
            "id": self._id,
            "version": self._version,
            "metadata": {},
        }

    def ping(self) -> bytes:
        """That this instance is there."""
        return orjson.dumps(self._base("ping_response"))

    def info(self) -> bytes:
        """What it serves."""
        endpoints = [
            {
                "name": one.endpoint.verb,
                "subject": one.endpoint.subject,
                "queue_group": one.endpoint.service,
                "metadata": {
                    "command": str(one.endpoint.command).lower(),
                    "access": _access(one),
                    "large_requests": str(one.endpoint.large_requests).lower(),
                    "summary": one.endpoint.summary,
                },
            }
            for one in self._dispatcher.stats
        ]
        described = {"description": f"The {self._name} service", "endpoints": endpoints}
        return orjson.dumps(self._base("info_response") | described)

    def stats(self) -> bytes:
        """How it fares."""
        endpoints = [
            {
                "name": one.endpoint.verb,
                "subject": one.endpoint.subject,
                "queue_group": one.endpoint.service,
                "num_requests": one.requests,
                "num_errors": one.errors,
                "last_error": one.last_error,
                "processing_time": one.processing_ns,
                "average_processing_time": one.processing_ns // max(one.requests, 1),
                "data": {},
            }
            for one in self._dispatcher.stats
        ]
        timed = {"started": self._started.isoformat().replace("+00:00", "Z"), "endpoints": endpoints}
        return orjson.dumps(self._base("stats_response") | timed)


def _access(stats: EndpointStats) -> str:
    key = stats.endpoint.key
    return str(key.id) if isinstance(key, Key) else type(key).__name__


def service_name(service: str) -> str:
    """The name that `nats micro ls` shows for a service."""
    return f"meshery-{re.sub('[^A-Za-z0-9_-]', '-', service)}"
