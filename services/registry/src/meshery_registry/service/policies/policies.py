"""Use cases over policies: reading, saving, testing, switching them, and judging designs by those in force."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any
from uuid import UUID, uuid4

from meshery_common import outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Queries, Transaction
from meshery_contracts import policies as contract
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Topic
from meshery_contracts.errors import Conflict, FieldProblem, Invalid, Unavailable
from meshery_contracts.messages import Nothing
from meshery_contracts.policies import (
    CheckDesign,
    GetPolicy,
    ListPolicyVersions,
    Policy,
    PolicyFact,
    PolicyId,
    PolicyLanguage,
    PolicyReport,
    PolicyState,
    PolicyVersionPage,
    SavePolicy,
    SetPolicyState,
    TestedPolicy,
    TestOutcome,
    TestPolicy,
)
from meshery_contracts.registry import EntityPage, ListPolicies
from meshery_registry.domain.policies import records
from meshery_registry.domain.policies.designs import Kinds
from meshery_registry.domain.policies.documents import PolicyDocument, read_document
from meshery_registry.domain.policies.records import StoredPolicy
from meshery_registry.domain.policies.trials import hindrance
from meshery_registry.domain.policies.verdicts import NOBODY, Heard, Named, report_of
from meshery_registry.service.policies.evaluating import Evaluator
from meshery_registry.service.policies.facts import policy_fact
from meshery_registry.store import ComponentStore, DefinitionStore, RegistrationStore
from meshery_registry.store.policies import PolicyStore

#: Policies in force in an organisation.
MAX_ENABLED = 100
#: Reports that are remembered: a plan and a deployment of one design follow each other.
_REPORTS_KEPT = 200
_Text = tuple[dict[str, Any], str]


class PoliciesService:
    """Use cases over policies."""

    def __init__(self, db: Database, evaluator: Evaluator, clock: Clock = utc_now) -> None:
        self._db = db
        self._store = PolicyStore()
        self._definitions = DefinitionStore()
        self._components = ComponentStore()
        self._registrations = RegistrationStore()
        self._evaluator = evaluator
        self._clock = clock
        self._reports: OrderedDict[tuple[UUID, int, str, bytes], PolicyReport] = OrderedDict()

    # --- reading ----------------------------------------------------------------------------------------------

    async def page(self, request: ListPolicies, caller: Caller) -> EntityPage:
        """A page of policies, the organisation's own and those of models, in Meshery's shape."""
        queries = self._db.within(caller.organization_id)
        generation = await self._definitions.generation(queries, caller.organization_id)
        page, policies = await self._store.page(queries, caller.organization_id, request)
        return EntityPage(
            policies=[records.listed_document(one, *self._by(one.language, one.state)) for one in policies],
            generation=generation,
            **page.envelope,
        )

    def _by(self, language: PolicyLanguage, state: str) -> tuple[str, str]:
        if not state:
            return "none", "It came with a model: save a copy of it (`definitionId`) and switch that on."
        return self._evaluator.by(language)

    async def get(self, request: GetPolicy, caller: Caller) -> Policy:
        """One policy, in its newest or in a named version."""
        queries = self._db.within(caller.organization_id)
        stored = await self._store.get(queries, caller.organization_id, request.policy_id, request.version)
        return self._shown(stored)

    async def versions(self, request: ListPolicyVersions, caller: Caller) -> PolicyVersionPage:
        """The saved versions of a policy, newest first."""
        queries = self._db.within(caller.organization_id)
        await self._store.get(queries, caller.organization_id, request.policy_id)
        offset = request.page * request.page_size
        versions, total = await self._store.versions(
            queries, request.policy_id, limit=request.page_size, offset=offset
        )
        return PolicyVersionPage(
            page=request.page, page_size=request.page_size, total_count=total, versions=versions
        )

    # --- changing ---------------------------------------------------------------------------------------------

    async def save(self, request: SavePolicy, caller: Caller) -> Policy:
        """Save a policy that compiles, and run its tests. What is in force is not touched."""
        await self._db.recall(caller.organization_id)
        document, source = await self._text_of(request, self._db.within(caller.organization_id), caller)
        read = _checked(document, source)
        tests = await self._evaluator.tried(document, source)
        async with self._db.command(caller.organization_id) as tx:
            policy_id = request.policy_id or uuid4()
            if request.policy_id is None:
                await self._store.insert(
                    tx, caller.organization_id, policy_id, read.name, request.definition_id
                )
            else:
                await self._require_base(tx, request, caller)
            stored = await self._store.add_version(
                tx,
                caller.organization_id,
                policy_id,
                name=read.name,
                language=read.language,
                document=document,
                source=source,
                user_id=caller.user_id,
            )
            await self._announce(tx, contract.POLICY_SAVED, stored, "save", caller)
            return await tx.answer(self._shown(stored, tests))

    async def set_state(self, request: SetPolicyState, caller: Caller) -> Policy:
        """Switch a policy on, when its tests allow it, or off."""
        await self._db.recall(caller.organization_id)
        if request.state is PolicyState.DRAFT:
            raise Invalid(
                "A policy cannot become a draft again.",
                code="policy_state",
                remedy="The state `disabled` switches it off.",
            )
        queries = self._db.within(caller.organization_id)
        before = await self._store.get(queries, caller.organization_id, request.policy_id)
        enabled = request.state is PolicyState.ENABLED
        version = (request.version or before.active_version or before.newest_version) if enabled else None
        if version is not None:
            wanted = await self._store.get(queries, caller.organization_id, request.policy_id, version)
            await self._require_tested(wanted)
        async with self._db.command(caller.organization_id) as tx:
            current = await self._store.get(tx, caller.organization_id, request.policy_id, lock=True)
            if enabled and current.state is not PolicyState.ENABLED:
                _require_room(await self._store.enabled(tx, caller.organization_id))
            enforcement = request.enforcement or current.enforcement
            await self._store.switch(tx, current.policy_id, request.state, enforcement, version)
            stored = await self._store.get(tx, caller.organization_id, current.policy_id, version)
            await self._announce(tx, contract.POLICY_SWITCHED, stored, "switch", caller)
            return await tx.answer(self._shown(stored))

    async def delete(self, request: PolicyId, caller: Caller) -> Nothing:
        """Delete a policy that is not in force."""
        async with self._db.command(caller.organization_id) as tx:
            stored = await self._store.get(tx, caller.organization_id, request.policy_id, lock=True)
            if stored.state is PolicyState.ENABLED:
                raise Conflict(
                    f"Policy '{stored.name}' is enabled.",
                    code="policy_enabled",
                    remedy="Switch it off first.",
                )
            await self._store.delete(tx, stored.policy_id)
            await self._announce(tx, contract.POLICY_DELETED, stored, "delete", caller)
            return await tx.answer(Nothing())

    # --- evaluating -------------------------------------------------------------------------------------------

    async def test(self, request: TestPolicy, caller: Caller) -> TestedPolicy:
        """Run the tests of a policy, saved or not, and judge a design with it."""
        queries = self._db.within(caller.organization_id)
        document, source = await self._text_of(request, queries, caller)
        read = _checked(document, source)
        tests = await self._evaluator.tried(document, source)
        findings = []
        if request.design:
            scoped = await self._components.cluster_scoped(queries, caller.organization_id)
            heard = await self._evaluator.judged(document, source, NOBODY, request.design, scoped)
            findings = report_of(heard.findings, 1).findings
        reason = self._hindrance(read.language, tests)
        return TestedPolicy(tests=tests, findings=findings, can_enable=not reason, reason=reason)

    async def check(self, request: CheckDesign, caller: Caller) -> PolicyReport:
        """What the policies in force say of a design."""
        queries = self._db.within(caller.organization_id)
        enabled = await self._store.enabled(queries, caller.organization_id)
        if not enabled:
            return PolicyReport(allowed=True)
        generation = await self._definitions.generation(queries, caller.organization_id)
        key = (caller.organization_id, generation, _fingerprint(enabled), _digest(request.file))
        known = self._reports.get(key)
        if known is not None:
            self._reports.move_to_end(key)
            return known
        scoped = await self._components.cluster_scoped(queries, caller.organization_id)
        heard = [await self._judged(policy, request.file, scoped) for policy in enabled]
        found = [one for each in heard for one in each.findings]
        report = report_of(found, len(enabled), omitted=sum(each.omitted for each in heard))
        # What failed for lack of time or of an OPA server may go better at once.
        if not any(one.failed and not one.rule for one in found):
            self._reports[key] = report
            if len(self._reports) > _REPORTS_KEPT:
                self._reports.popitem(last=False)
        return report

    async def _judged(self, policy: StoredPolicy, design: str, cluster_scoped: Kinds) -> Heard:
        named = Named(policy.policy_id, policy.version, policy.enforcement)
        return await self._evaluator.judged(policy.document, policy.source, named, design, cluster_scoped)

    # --- within -----------------------------------------------------------------------------------------------

    async def _text_of(self, request: SavePolicy | TestPolicy, queries: Queries, caller: Caller) -> _Text:
        """The document and the Rego text that a request is about. Raises Invalid unless it is about one."""
        if request.document is not None:
            return request.document, request.source
        if request.file:
            return await self._evaluator.read(request.file), request.source
        if isinstance(request, TestPolicy) and request.policy_id is not None:
            stored = await self._store.get(
                queries, caller.organization_id, request.policy_id, request.version
            )
            return dict(stored.document), stored.source
        if isinstance(request, SavePolicy) and request.definition_id is not None:
            one = await self._store.definition(queries, caller.organization_id, request.definition_id)
            rego = one.language is PolicyLanguage.REGO
            text = await self._evaluator.read(one.source) if one.source and not rego else None
            return records.own_document(one, text), one.source if rego else ""
        raise Invalid(
            "The request holds no policy.",
            code="policy_missing",
            remedy="Send `document`, or `file` with the policy as YAML or JSON text.",
        )

    async def _require_base(self, tx: Transaction, request: SavePolicy, caller: Caller) -> None:
        """Of two saves from one version, one is a conflict."""
        assert request.policy_id is not None  # noqa: S101 - asked by the caller
        current = await self._store.get(tx, caller.organization_id, request.policy_id, lock=True)
        if request.base_version not in (None, current.newest_version):
            raise Conflict(
                f"Policy '{current.name}' was saved in between: its newest version is {current.newest_version}.",
                code="policy_stale",
                remedy="Read it again and save your change of that version.",
            )

    async def _require_tested(self, policy: StoredPolicy) -> None:
        by, reason = self._evaluator.by(policy.language)
        if by == "none":
            raise Unavailable(
                f"Policy '{policy.name}' cannot be evaluated.", code="policy_not_evaluated", cause=reason
            )
        tests = await self._evaluator.tried(policy.document, policy.source)
        if hindered := hindrance(tests):
            raise Conflict(
                f"Policy '{policy.name}' cannot be switched on in version {policy.version}: {hindered}.",
                code="policy_untested",
                fields=tuple(
                    FieldProblem(path=f"tests.{one.name}", message=one.message)
                    for one in tests
                    if not one.passed
                ),
                cause="Its tests must pass, and show both what it lets through and what it does not.",
                remedy="Mend the policy or its `tests`, and save it again.",
            )

    def _hindrance(self, language: PolicyLanguage, tests: list[TestOutcome]) -> str:
        _, reason = self._evaluator.by(language)
        return reason or hindrance(tests)

    async def _announce(
        self, tx: Transaction, topic: Topic[PolicyFact], policy: StoredPolicy, action: str, caller: Caller
    ) -> None:
        """The registry changed: lists of policies are cached by its generation."""
        await self._registrations.locked_generation(tx, caller.organization_id)
        generation = await self._registrations.next_generation(tx, caller.organization_id)
        fact = policy_fact(policy, action, caller, self._clock(), generation)
        await outbox.add(tx, topic, fact, subject_id=policy.policy_id)

    def _shown(self, stored: StoredPolicy, tests: list[TestOutcome] | None = None) -> Policy:
        by, reason = self._evaluator.by(stored.language)
        return Policy(
            id=stored.policy_id,
            name=stored.name,
            description=str(stored.document.get("description") or ""),
            language=stored.language,
            scope=str(stored.document.get("scope") or "component"),
            state=stored.state,
            enforcement=stored.enforcement,
            version=stored.version,
            newest_version=stored.newest_version,
            active_version=stored.active_version,
            document=dict(stored.document),
            source=stored.source,
            evaluated_by=by,
            not_evaluated_because=reason,
            definition_id=stored.definition_id,
            tests=tests or [],
            user_id=stored.user_id,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
        )


def _require_room(enabled: list[StoredPolicy]) -> None:
    if len(enabled) >= MAX_ENABLED:
        raise Conflict(
            f"{len(enabled)} policies are enabled; there may be {MAX_ENABLED}.",
            code="policies_too_many",
            cause="Every one is asked before every deployment.",
            remedy="Put rules about the same things into one policy, or switch one off.",
        )


def _checked(document: dict[str, Any], source: str) -> PolicyDocument:
    if "\0" in source:
        raise Invalid("The Rego text holds a NUL character.", code="policy_invalid", remedy="Remove it.")
    return read_document(document, source)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _fingerprint(enabled: list[StoredPolicy]) -> str:
    """Of what is in force: a version never changes."""
    return " ".join(f"{one.policy_id}.{one.version}.{one.enforcement}" for one in enabled)
