"""Which service of this process is at work, and how each is called at the collector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

_working_for: ContextVar[str] = ContextVar("working_for", default="")


@contextmanager
def working_for(service: str) -> Iterator[None]:
    """Tasks that are started in the block, and their tasks, work for this service: their log lines say so."""
    token = _working_for.set(service)
    try:
        yield
    finally:
        _working_for.reset(token)


def current_service() -> str:
    """The service that this task works for; empty when nobody said."""
    return _working_for.get()


class Resources:
    """The services of one process as a collector sees them."""

    def __init__(self, process: str) -> None:
        self.process = process
        self._instance = str(uuid4())

    def of(self, service: str) -> Resource:
        """One service; an empty name stands for the process itself."""
        return Resource.create(
            {
                "service.namespace": "meshery",
                "service.name": f"meshery-{service or self.process}",
                "service.instance.id": self._instance,
            }
        )
