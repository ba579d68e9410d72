"""A registry that knows the kinds a test has taught it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson

from meshery_common.bus import Bus
from meshery_contracts import policies, registry
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Unavailable
from meshery_contracts.policies import CheckDesign, Finding, Outcome, PolicyReport
from meshery_contracts.registry import GetSchemas, ResolvedKind, ResolvedKinds, ResolveKinds, Schemas
from meshery_testkit.nats import NATSForTests


class StubRegistry:
    """Answers what a kind is, and what its schema says."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], ResolvedKind] = {}
        self._schemas: dict[str, str] = {}
        #: Whether it cannot be reached.
        self.away = False
        #: What policies say of every design.
        self.findings: list[Finding] = []
        #: The designs that they were asked about.
        self.checked: list[str] = []

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
    async def serving(self, nats: NATSForTests) -> AsyncIterator[StubRegistry]:
        """Answer for the registry, as far as designs ask it."""
        async with Bus.connect(nats.bus_settings("registry"), service="registry") as bus:
            await bus.serve(registry.RESOLVE_KINDS, self._resolve)
            await bus.serve(registry.GET_SCHEMAS, self._get_schemas)
            await bus.serve(policies.CHECK_DESIGN, self._check)
            yield self

    async def _resolve(self, request: ResolveKinds, _caller: Caller) -> ResolvedKinds:
        if self.away:
            raise Unavailable("The registry is away.")
        return ResolvedKinds(
            kinds=[
                self._kinds.get((one.api_version, one.kind), ResolvedKind(kind=one)) for one in request.kinds
            ]
        )

    async def _check(self, request: CheckDesign, _caller: Caller) -> PolicyReport:
        if self.away:
            raise Unavailable("The registry is away.")
        self.checked.append(request.file)
        denied = any(one.outcome is Outcome.DENY for one in self.findings)
        return PolicyReport(allowed=not denied, policies=1, findings=self.findings)

    async def _get_schemas(self, request: GetSchemas, _caller: Caller) -> Schemas:
        """One schema at a time, as if each filled an answer."""
        known = [one for one in request.hashes if one in self._schemas]
        return Schemas(schemas={one: self._schemas[one] for one in known[:1]}, omitted=known[1:])
