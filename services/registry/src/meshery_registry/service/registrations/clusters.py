"""Learning what clusters serve. Reading a document is done before the transaction, in the process beside us."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import zlib
from uuid import UUID

import orjson

from meshery_common import outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.processes import WorkerProcess
from meshery_contracts import registry as contract
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Invalid, TooLarge
from meshery_contracts.messages import Severity
from meshery_contracts.registry import ModelsRegistered, RegisterOpenAPI, RegistrationReport
from meshery_registry.domain.definitions import NewModel, components_of, model_of
from meshery_registry.domain.openapi import READER_VERSION, Learned, learned_from
from meshery_registry.store import ContentStore, RegistrationStore
from meshery_registry.store.registrations import Registration


class RegistrationsService:
    """Use cases that write."""

    def __init__(
        self,
        db: Database,
        worker: WorkerProcess,
        *,
        max_document_bytes: int,
        at_once: int,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = RegistrationStore()
        self._contents = ContentStore()
        self._worker = worker
        self._max_document_bytes = max_document_bytes
        # A cluster sends all its group versions at once: more than a few would only fill memory and the pool.
        self._places = asyncio.Semaphore(at_once)
        self._clock = clock

    async def register_openapi(self, request: RegisterOpenAPI, caller: Caller) -> RegistrationReport:
        """Learn the kinds of one group version of a cluster; the same again changes nothing."""
        document = self._document(request)
        fingerprint = _fingerprint(request, document)
        async with self._places:
            known = await self._store.registration(
                self._db.within(caller.organization_id),
                caller.organization_id,
                request.connection_id,
                request.group_version,
            )
            same = known is not None and known.fingerprint == fingerprint
            learned = None if same else await self._learned(request, document)
            async with self._db.command(caller.organization_id) as tx:
                report = await self._written(tx, request, caller, fingerprint, learned)
                return await tx.answer(report)

    async def _learned(self, request: RegisterOpenAPI, document: bytes) -> Learned:
        scopes = dict.fromkeys(request.namespaced_kinds, True) | dict.fromkeys(request.cluster_kinds, False)
        return await self._worker.run_if_long(
            len(document), learned_from, document, request.group_version, scopes
        )

    async def _written(
        self,
        tx: Transaction,
        request: RegisterOpenAPI,
        caller: Caller,
        fingerprint: bytes,
        learned: Learned | None,
    ) -> RegistrationReport:
        organization_id, connection_id = caller.organization_id, request.connection_id
        generation = await self._store.locked_generation(tx, organization_id)
        before = await self._store.registration(tx, organization_id, connection_id, request.group_version)
        is_news = await self._store.put_registrant(
            tx,
            organization_id,
            connection_id,
            name=request.cluster_name,
            version=request.cluster_version,
        )
        model = model_of(request.group_version, request.cluster_version, custom=request.custom)
        if learned is None:
            count = len(before.component_ids) if before is not None else 0
            report = RegistrationReport(unchanged=count)
        else:
            report = await self._stored(tx, request, organization_id, model, before, fingerprint, learned)
        now = await self._store.registration(tx, organization_id, connection_id, request.group_version)
        # Which kinds a cluster serves decides what stands for them, even when nothing new is stored.
        is_news = is_news or _served(before) != _served(now)
        if not (is_news or report.added or report.updated or report.removed):
            return report.model_copy(update={"generation": generation})
        generation = await self._store.next_generation(tx, organization_id)
        report = report.model_copy(update={"generation": generation})
        await self._announce(tx, request, caller, model, report)
        return report

    async def _stored(
        self,
        tx: Transaction,
        request: RegisterOpenAPI,
        organization_id: UUID,
        model: NewModel,
        before: Registration | None,
        fingerprint: bytes,
        learned: Learned,
    ) -> RegistrationReport:
        """Store what was learned in place of what this cluster served before."""
        learned_kinds = components_of(model, request.group_version, learned.kinds)
        # What ships with us just so is named, not stored a second time: lists show it once.
        await self._contents.keep_still(tx)
        shipped = await self._contents.shipped(
            tx, model, request.group_version, [one.kind for one in learned.kinds]
        )
        same = [shipped[key] for one in learned.kinds if (key := (one.kind, one.schema_hash)) in shipped]
        components = [
            one for one in learned_kinds if (one.learned.kind, one.learned.schema_hash) not in shipped
        ]
        ids = [one.component_id for one in components]
        known = await self._store.known(tx, organization_id, ids)
        fresh = [one for one in components if one.component_id not in known]
        # What an older version of the cluster served is kept: a design may still name it.
        replaced = before.component_ids if before is not None and before.model_id == model.model_id else []
        kinds_before = await self._store.kinds_of(tx, organization_id, replaced)
        if components:
            await self._store.put_model(tx, organization_id, request.connection_id, model)
        if fresh:
            await self._store.put_components(
                tx, organization_id, model, request.group_version, fresh, custom=request.custom
            )
        await self._store.put_registration(
            tx,
            organization_id,
            request.connection_id,
            request.group_version,
            Registration(model.model_id, fingerprint, sorted([*ids, *same])),
        )
        gone = await self._store.remove_unserved(tx, organization_id, request.group_version, replaced)
        if gone:
            await self._store.remove_model_if_empty(tx, organization_id, model.model_id)
        updated = sum(one.learned.kind in kinds_before for one in fresh)
        return RegistrationReport(
            added=len(fresh) - updated,
            updated=updated,
            unchanged=len(learned_kinds) - len(fresh),
            removed=len(set(gone) - {one.kind for one in learned.kinds}),
            refused=learned.refused,
        )

    async def _announce(
        self,
        tx: Transaction,
        request: RegisterOpenAPI,
        caller: Caller,
        model: NewModel,
        report: RegistrationReport,
    ) -> None:
        fact = ModelsRegistered(
            organization_id=caller.organization_id,
            user_id=caller.user_id,
            actor=caller.actor,
            occurred_at=self._clock(),
            # A cluster brings dozens of these: they are for caches. Connections tells people of the whole.
            severity=Severity.DEBUG,
            category="model",
            action="register",
            description=(
                f"Cluster '{request.cluster_name}' registered {request.group_version}; kinds that are new: "
                f"{report.added}, changed: {report.updated}, gone: {report.removed}."
            ),
            acted_upon=request.connection_id,
            connection_id=request.connection_id,
            models=[model.name],
            generation=report.generation,
            registered_at=self._clock(),
        )
        await outbox.add(tx, contract.MODELS_REGISTERED, fact, subject_id=request.connection_id)

    def _document(self, request: RegisterOpenAPI) -> bytes:
        if not request.document_gzip:
            return request.document.encode()
        try:
            packed = base64.b64decode(request.document_gzip, validate=True)
            unpacker = zlib.decompressobj(wbits=31)
            document = unpacker.decompress(packed, self._max_document_bytes)
        except (binascii.Error, ValueError, zlib.error):
            raise Invalid(
                "`documentGzip` is not gzip in base64.",
                code="openapi_encoding",
                remedy="Compress the document with gzip, then encode it in base64.",
            ) from None
        if unpacker.unconsumed_tail:
            raise TooLarge(
                f"The document of {request.group_version} has more than {self._max_document_bytes:,} bytes.",
                code="openapi_too_large",
                remedy="Raise REGISTRY_MAX_DOCUMENT_BYTES if such a document is meant.",
            )
        if not unpacker.eof:
            raise Invalid("`documentGzip` is cut off.", code="openapi_encoding")
        return document


def _served(registration: Registration | None) -> set[UUID]:
    return set() if registration is None else set(registration.component_ids)


def _fingerprint(request: RegisterOpenAPI, document: bytes) -> bytes:
    """Of all that decides what is learned, whether it was sent packed or not."""
    told = (
        READER_VERSION,
        request.cluster_version,
        request.group_version,
        sorted(request.namespaced_kinds),
        sorted(request.cluster_kinds),
        request.custom,
    )
    return hashlib.sha256(orjson.dumps(told) + document).digest()
