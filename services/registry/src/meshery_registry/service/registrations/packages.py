"""Storing models that were read and prepared: one model in one transaction, with a report per entity.

The same again changes nothing. Who calls gives the transaction, so that an import can write its progress in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from meshery_common.clock import Clock, utc_now
from meshery_common.database import Transaction
from meshery_contracts.caller import Caller
from meshery_contracts.imports import ImportEntry, Outcome
from meshery_registry.domain import names
from meshery_registry.domain.policies.records import definition_id
from meshery_registry.domain.prepared import PreparedModel, PreparedPackage
from meshery_registry.service.registrations.announcing import tell_caches
from meshery_registry.store import PackageStore, PolicyStore, RegistrationStore
from meshery_registry.store.packages import Known
from meshery_registry.store.registrations import Registration
from meshery_registry.store.visible import SHIPPED


@dataclass(frozen=True, slots=True)
class Source:
    """Who registers: a connection, or something that has an id made of its kind and name."""

    registrant_id: UUID
    kind: str
    name: str
    version: str = ""


class PackageRegistrar:
    """Stores models."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._store = PackageStore()
        self._registrations = RegistrationStore()
        self._policies = PolicyStore()
        self._clock = clock

    async def register(
        self,
        tx: Transaction,
        package: PreparedPackage,
        caller: Caller,
        *,
        source: Source | None = None,
        complete: bool = False,
        keep_model: bool = False,
    ) -> list[ImportEntry]:
        """Store a model in this transaction, announce the change in it, and say what became of each entity.

        Without a source the model itself says who registers. `complete` means that the package holds all of the
        model: what it does not hold is removed. `keep_model` leaves a model that is there as it is: the package only
        names it. What was refused before is not in the report.
        """
        organization_id = caller.organization_id
        if source is None and await self._ships(tx, organization_id, package):
            return self._unchanged(package)
        source = source or source_of(package.model)
        part = f"model {package.model.model_id}"
        await self._registrations.locked_generation(tx, organization_id)
        is_news = await self._registrations.put_registrant(
            tx,
            organization_id,
            source.registrant_id,
            name=source.name,
            version=source.version,
            kind=source.kind,
        )
        before = await self._registrations.registration(tx, organization_id, source.registrant_id, part)
        fingerprint = package.fingerprint + (b"complete" if complete else b"")
        if before is not None and before.fingerprint == fingerprint:
            if is_news:
                await self._announce(tx, package.model, caller, source, "is registered by a new name")
            return self._unchanged(package)
        known = await self._store.known(tx, organization_id, package.model.model_id)
        if keep_model and known.model is not None:
            package = replace(package, model=replace(package.model, content_hash=known.model))
        entries = _Entries(package.model)
        changed = self._report(entries, package, known)
        if changed.anything:
            await self._write(tx, organization_id, source, package, changed)
        removed = 0
        if complete:
            removed = await self._store.remove(tx, organization_id, _left_over(package, known))
        ids = [one.component_id for one in package.components]
        others = [
            *(one.relationship_id for one in package.relationships),
            *(one.definition_id for one in package.connections),
            *(definition_id(package.model.model_id, policy) for policy, _ in package.policies),
        ]
        if before is not None and not complete:
            ids += [one for one in before.component_ids if one not in set(ids)]
            others += [one for one in before.other_ids if one not in set(others)]
        await self._registrations.put_registration(
            tx,
            organization_id,
            source.registrant_id,
            part,
            Registration(package.model.model_id, fingerprint, ids, others),
        )
        if changed.anything or removed:
            await self._registrations.forget_fingerprints(
                tx, organization_id, package.model.model_id, besides=source.registrant_id
            )
            if changed.replaced or removed:
                await self._store.remove_unused(tx, organization_id)
        if changed.anything or removed or is_news:
            counts = entries.counts
            told = ", ".join(f"{counts[one]} {one.value}" for one in Outcome if counts.get(one))
            await self._announce(tx, package.model, caller, source, f"is registered: {told}")
        return entries.told

    async def _ships(self, tx: Transaction, organization_id: UUID, package: PreparedPackage) -> bool:
        """Whether all of a package ships with us just so, and the organisation has no model of its own in its place."""
        model = package.model
        words = (model.registrant_kind, model.name, model.version, model.definition_version)
        known = await self._store.known(tx, SHIPPED, names.described_model_id(SHIPPED, *words))
        if organization_id == SHIPPED or known.model != model.content_hash:
            return False
        if (await self._store.known(tx, organization_id, model.model_id)).model is not None:
            return False
        parts = (
            (package.components, known.components),
            (package.relationships, known.relationships),
            (package.connections, known.connections),
        )
        policies = {content_hash for _, content_hash in package.policies}
        return policies <= set(known.policies.values()) and all(
            {one.content_hash for one in ours} <= set(theirs.values()) for ours, theirs in parts
        )

    def _unchanged(self, package: PreparedPackage) -> list[ImportEntry]:
        entries = _Entries(package.model)
        self._report(entries, package, _all_of(package))
        return entries.told

    def _report(self, entries: _Entries, package: PreparedPackage, known: Known) -> _Changed:
        """Say what becomes of each entity; the ones that are to be written."""
        model = package.model
        changed = _Changed(
            model=entries.add(
                "model", model.name, model.content_hash, known.model, display_name=model.display_name
            )
            is not Outcome.UNCHANGED,
            components=[
                one
                for one in package.components
                if entries.add(
                    "component",
                    one.kind,
                    one.content_hash,
                    known.components.get(one.component_id),
                    display_name=one.display_name,
                    api_version=one.api_version,
                )
                is not Outcome.UNCHANGED
            ],
            relationships=[
                one
                for one in package.relationships
                if entries.add(
                    "relationship",
                    f"{one.kind} {one.type} {one.sub_type}",
                    one.content_hash,
                    known.relationships.get(one.relationship_id),
                    from_kinds=list(one.from_kinds),
                    to_kinds=list(one.to_kinds),
                )
                is not Outcome.UNCHANGED
            ],
            connections=[
                one
                for one in package.connections
                if entries.add(
                    "connection", one.kind, one.content_hash, known.connections.get(one.definition_id)
                )
                is not Outcome.UNCHANGED
            ],
            policies=[
                (policy, content_hash)
                for policy, content_hash in package.policies
                if entries.add(
                    "policy",
                    policy.name,
                    content_hash,
                    known.policies.get(definition_id(model.model_id, policy)),
                )
                is not Outcome.UNCHANGED
            ],
            replaced=False,
        )
        changed.replaced = Outcome.UPDATED in entries.counts
        return changed

    async def _write(
        self,
        tx: Transaction,
        organization_id: UUID,
        source: Source,
        package: PreparedPackage,
        changed: _Changed,
    ) -> None:
        model = package.model
        if changed.model:
            await self._store.put_model(tx, organization_id, source.registrant_id, model)
        else:
            await self._store.touch_model(tx, organization_id, model.model_id)
        if package.icons:
            await self._store.put_icons(tx, organization_id, package.icons)
        if changed.components:
            hashes = {one.schema_hash for one in changed.components if one.schema_hash is not None}
            await self._store.put_schemas(tx, organization_id, [package.schemas[one] for one in hashes])
            await self._store.put_components(tx, organization_id, model, changed.components)
        if changed.relationships:
            await self._store.put_relationships(tx, organization_id, model, changed.relationships)
        if changed.connections:
            await self._store.put_connections(tx, organization_id, model, changed.connections)
        if changed.policies:
            await self._policies.put_definitions(
                tx,
                organization_id,
                model.model_id,
                model.name,
                [policy for policy, _ in changed.policies],
                [content_hash for _, content_hash in changed.policies],
            )

    async def _announce(
        self, tx: Transaction, model: PreparedModel, caller: Caller, source: Source, told: str
    ) -> None:
        # Not for people: an import brings dozens of these, and tells them of the whole itself.
        await tell_caches(
            tx,
            caller,
            self._clock(),
            about=model.model_id,
            action="register",
            sentence=f"Model '{model.display_name}' {model.version} of {source.name or source.kind} {told}.",
            generation=await self._registrations.next_generation(tx, caller.organization_id),
            models=[model.name],
            registrant_id=source.registrant_id,
        )


def source_of(model: PreparedModel) -> Source:
    """Who registers a model, when it says so itself."""
    name = model.registrant_name or model.registrant_kind
    return Source(names.registrant_id(model.registrant_kind, name), model.registrant_kind, name)


@dataclass(slots=True)
class _Changed:
    """What of a package is to be written; `replaced` when something else was there before."""

    model: bool
    components: Sequence[Any]
    relationships: Sequence[Any]
    connections: Sequence[Any]
    policies: Sequence[Any]
    replaced: bool

    @property
    def anything(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.model or self.components or self.relationships or self.connections or self.policies)


class _Entries:
    """The report of one package."""

    def __init__(self, model: PreparedModel) -> None:
        self._model = model
        self.told: list[ImportEntry] = []
        self.counts: dict[Outcome, int] = {}

    def add(
        self, entity_type: str, name: str, content_hash: bytes, known: bytes | None, **about: Any
    ) -> Outcome:
        """Add an entity and what else there is to tell about it; what becomes of it."""
        outcome = Outcome.UNCHANGED if known == content_hash else Outcome.UPDATED
        if known is None:
            outcome = Outcome.ADDED
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        self.told.append(
            ImportEntry(
                position=len(self.told),
                entity_type=entity_type,
                name=name,
                model=self._model.name,
                model_version=self._model.version,
                category=self._model.category,
                outcome=outcome,
                **about,
            )
        )
        return outcome


def _all_of(package: PreparedPackage) -> Known:
    """All entities of a package as if they were stored."""
    model_id = package.model.model_id
    policies: Mapping[UUID, bytes] = {
        definition_id(model_id, policy): content_hash for policy, content_hash in package.policies
    }
    return Known(
        model=package.model.content_hash,
        components={one.component_id: one.content_hash for one in package.components},
        relationships={one.relationship_id: one.content_hash for one in package.relationships},
        connections={one.definition_id: one.content_hash for one in package.connections},
        policies=policies,
    )


def _left_over(package: PreparedPackage, known: Known) -> list[UUID]:
    """What is stored of a model and not in its package."""
    held = _all_of(package)
    pairs = (
        (known.components, held.components),
        (known.relationships, held.relationships),
        (known.connections, held.connections),
        (known.policies, held.policies),
    )
    return [one for stored, there in pairs for one in stored if one not in there]
