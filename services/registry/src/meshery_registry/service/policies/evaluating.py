"""Evaluating policies: in the process beside us or by an OPA server, each within its time.

A policy that takes too long, or more memory than it may, is told as one that could not be evaluated; the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from meshery_common.processes import WorkerProcess
from meshery_contracts.errors import Invalid, ProblemError, TooLarge, Unavailable
from meshery_contracts.policies import PolicyLanguage, TestOutcome
from meshery_registry.clients.opa import OpaClient
from meshery_registry.domain.policies import rego, trials
from meshery_registry.domain.policies.designs import Kinds
from meshery_registry.domain.policies.documents import PolicyDocument, read_document
from meshery_registry.domain.policies.verdicts import NOBODY, Heard, Named, heard, unheard
from meshery_registry.service.policies import beside

#: What the process of the worker may take: a policy that builds up more has failed.
POLICY_BYTES = 1024 * 1024 * 1024

_NO_OPA = "No OPA server is configured: set REGISTRY_OPA_URL."


class Evaluator:
    """Runs policies. One at a time: a slow one costs the others its time limit and no more."""

    def __init__(self, worker: WorkerProcess, opa: OpaClient | None, *, seconds: float) -> None:
        self._worker = worker
        self._opa = opa
        self._seconds = seconds
        self._turn = asyncio.Lock()

    def by(self, language: PolicyLanguage) -> tuple[str, str]:
        """What evaluates a language (`cel`, `opa` or `none`), and for none the reason."""
        if language is PolicyLanguage.CEL:
            return "cel", ""
        return ("opa", "") if self._opa is not None else ("none", _NO_OPA)

    async def read(self, text: str) -> dict[str, Any]:
        """The mapping that a YAML or JSON text holds. Raises Invalid."""
        async with self._turn:
            await self._worker.run(beside.ready)
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._worker.run(beside.document_in, text)
            except TimeoutError:
                raise _too_slow("Reading the policy", self._seconds) from None

    async def tried(self, document: Mapping[str, Any], source: str) -> list[TestOutcome]:
        """Compile a policy and run its own tests. Raises Invalid naming places and reasons, Unavailable."""
        read = read_document(dict(document), source)
        if read.language is PolicyLanguage.REGO:
            return await self._rego_tried(read, source)
        async with self._turn:
            await self._worker.run(beside.ready)
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._worker.run(beside.tried, orjson.dumps(document))
            except TimeoutError:
                raise _too_slow("Running the tests", self._seconds) from None
            except MemoryError:
                raise _too_large() from None

    async def judged(
        self,
        document: Mapping[str, Any],
        source: str,
        named: Named,
        design: str,
        cluster_scoped: Kinds = frozenset(),
    ) -> Heard:
        """What a policy says of a design (JSON text). Raises Invalid only when that is no design.

        `cluster_scoped` are the kinds that are in no namespace.
        """
        read = _readable(document, source)
        try:
            async with self._turn:
                await self._worker.run(beside.ready)
                async with asyncio.timeout(self._seconds):
                    if read.language is PolicyLanguage.REGO:
                        return await self._rego_judged(read, source, named, design)
                    return await self._worker.run(
                        beside.judged, orjson.dumps(document), named, design, cluster_scoped
                    )
        except TimeoutError:
            return Heard([unheard(read, named, f"it took longer than {self._seconds:g} s.")])
        except MemoryError:
            return Heard([unheard(read, named, "it needs too much memory.")])
        except Invalid as error:
            if error.problem.code == "design_shape":
                raise
            return Heard([unheard(read, named, error.problem.title)])
        except ProblemError as error:
            reason = " ".join((error.problem.title, *error.problem.probable_cause))
            return Heard([unheard(read, named, reason)])

    async def _rego_tried(self, read: PolicyDocument, source: str) -> list[TestOutcome]:
        """The tests of a Rego policy; none are run without an OPA server."""
        if self._opa is None:
            return []
        async with self._turn:
            results = await self._asked(self._opa, read, source, [one.design for one in read.examples])
        return [
            trials.outcome_of(one, list(rego.findings_of(result, read, NOBODY, one.design)))
            for one, result in zip(read.examples, results, strict=True)
        ]

    async def _rego_judged(self, read: PolicyDocument, source: str, named: Named, design: str) -> Heard:
        if self._opa is None:
            return Heard([unheard(read, named, _NO_OPA)])
        document = _design(design)
        (result,) = await self._asked(self._opa, read, source, [document])
        return heard(rego.findings_of(result, read, named, document))

    async def _asked(
        self, opa: OpaClient, read: PolicyDocument, source: str, designs: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        return await opa.evaluate(source, read.package, [rego.input_of(one) for one in designs])


def _readable(document: Mapping[str, Any], source: str) -> PolicyDocument:
    """A saved policy; one that this release reads no longer at least has a name."""
    try:
        return read_document(dict(document), source)
    except Invalid:
        return PolicyDocument(name=str(document.get("name") or ""))


def _design(text: str) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Invalid("The design is no JSON mapping.", code="design_shape", remedy="Send a design file.")
    return document


def _too_slow(what: str, seconds: float) -> Unavailable:
    return Unavailable(
        f"{what} took longer than {seconds:g} s.",
        code="policy_too_slow",
        cause="A macro inside of a macro over long lists, or a busy machine.",
        remedy="Make the expressions simpler, or raise REGISTRY_POLICY_SECONDS.",
    )


def _too_large() -> TooLarge:
    return TooLarge(
        "Running the tests needs too much memory.",
        code="policy_too_large",
        remedy="Let the expressions build up less: `all` and `exists` keep nothing.",
    )
