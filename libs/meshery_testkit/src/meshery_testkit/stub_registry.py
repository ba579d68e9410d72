"""A registry that knows the kinds a test has taught it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson

from meshery_common.bus import Bus
from meshery_contracts import registry
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Unavailable
from meshery_contracts.registry import GetSchemas, ResolvedKind, ResolvedKinds, ResolveKinds, Schemas
from meshery_testkit.nats import NATSForTests


class StubRegistry:
    """Answers what a kind is, and what its schema says."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], ResolvedKind] = {}
        self._schemas: dict[str, str] = {}
        #: Whether it cannot be reached.
        self.away = False

    def teach(
        self,
        api_version: str,
        kind: str,
        *,
        namespaced: bool = True,
        schema: dict[str, Any] | None = None,
    ) -> None:
        """Know this kind from now on."""
        name = f"schema of {kind}" if schema is not None else ""
        if schema is not None:
            self._schemas[name] = orjson.dumps(schema).decode()
        self._kinds[api_version, kind] = ResolvedKind(
            kind=registry.KindName(api_version=api_version, kind=kind),
            component_id=uuid4(),
            display_name=kind,
            model=registry.ModelReference(id=uuid4(), name="kubernetes"),
            namespaced=namespaced,
            schema_hash=name,
        )

    @asynccontextmanager
    async def serving(self, nats: NATSForTests) -> AsyncIterator[Bus]:
        """Answer for the registry, as far as designs ask it."""
        async with Bus.connect(nats.bus_settings("registry"), service="registry") as bus:
            await bus.serve(registry.RESOLVE_KINDS, self._resolve)
            await bus.serve(registry.GET_SCHEMAS, self._get_schemas)
            yield bus

    async def _resolve(self, request: ResolveKinds, _caller: Caller) -> ResolvedKinds:
        if self.away:
            raise Unavailable("The registry is away.")
        return ResolvedKinds(
            kinds=[
                self._kinds.get((one.api_version, one.kind), ResolvedKind(kind=one)) for one in request.kinds
            ]
        )

    async def _get_schemas(self, request: GetSchemas, _caller: Caller) -> Schemas:
        """One schema at a time, as if each filled an answer."""
        known = [one for one in request.hashes if one in self._schemas]
        return Schemas(schemas={one: self._schemas[one] for one in known[:1]}, omitted=known[1:])
