"""Reading and writing objects of any kind.

Everything exists as bytes first (`*_bytes`, `pages`), so that callers who only pass objects on, or
decode a few fields of many, pay for nothing else. Order, health and meaning belong to the callers.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from meshery_kube.errors import Expired, ManifestRefused, NameRefused
from meshery_kube.kinds import Kind
from meshery_kube.pages import (
    Header,
    Object,
    Page,
    Selection,
    decode,
    decode_object,
    decode_page,
    encode,
)
from meshery_kube.transports import JSON, Call, Query, Reply, Transport

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""No plain JSON as second choice: for Secrets it would bring the values after all."""

DEFAULT_FIELD_MANAGER = "meshery"
PAGE_SIZE = 500


class Validation(StrEnum):
    """What the server does about unknown and duplicate fields."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"


class Propagation(StrEnum):
    """What becomes of the objects that the deleted one owns."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class PatchKind(StrEnum):
    """How the body of a patch is to be read."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Written:
    """The object as it is (or, after a dry run, would be) in the cluster."""

    raw: bytes = field(repr=False)
    created: bool
    warnings: tuple[str, ...] = ()

    @property
    def object(self) -> Object:
        """Decoded anew at each use."""
        return decode_object(self.raw)


@dataclass(frozen=True, slots=True)
class Deleted:
    """`finished` is False while finalizers or a grace period keep the object; see `raw`."""

    raw: bytes = field(repr=False)
    finished: bool
    warnings: tuple[str, ...] = ()


class Objects:
    """The objects of one cluster. All methods raise KubeError's subclasses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # ------------------------------------------------------------ reading

    async def get(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        metadata_only: bool = False,
    ) -> Object:
        """One object, decoded. Raises NotFound."""
        return decode_object(
            await self.get_bytes(kind, name, namespace, subresource=subresource, metadata_only=metadata_only)
        )

    async def get_bytes(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        metadata_only: bool = False,
    ) -> bytes:
        """One object as the server's JSON. Raises NotFound."""
        path = kind.object_path(name, namespace, subresource)
        accept = METADATA if metadata_only else JSON
        return (await self._transport.request(Call("GET", path, accept=accept, repeatable=True))).body

    async def list(
        self, kind: Kind, selection: Selection | None = None, *, page_size: int = PAGE_SIZE
    ) -> AsyncGenerator[Object, None]:
        """All selected objects, decoded one by one, fetched page by page."""
        async for page in self.pages(kind, selection, page_size=page_size):
            for item in page.items:
                yield decode_object(item)

    async def pages(
        self, kind: Kind, selection: Selection | None = None, *, page_size: int = PAGE_SIZE
    ) -> AsyncGenerator[Page, None]:
        """All selected objects as bytes. `page_size` 0 asks for everything at once.

        When the server's history runs out between two pages it offers to go on with newer data;
        the pages from there on say `consistent=False`. Raises Expired when it does not offer.
        """
        token = ""
        consistent = True
        while True:
            try:
                page = await self.page(kind, selection, page_size=page_size, continue_token=token)
            except Expired as error:
                if not (token and error.continue_token) or error.continue_token == token:
                    raise
                token, consistent = error.continue_token, False
                continue
            yield page if consistent else replace(page, consistent=False)
            token = page.continue_token
            if not token:
                return

    async def page(
        self,
        kind: Kind,
        selection: Selection | None = None,
        *,
        page_size: int = PAGE_SIZE,
        continue_token: str = "",
    ) -> Page:
        """One page. Raises Expired when `continue_token` is too old."""
        selection = selection or Selection()
        query = selection.query()
        if page_size:
            query += (("limit", str(page_size)),)
        if continue_token:
            query += (("continue", continue_token),)
        accept = METADATA_LIST if selection.metadata_only else JSON
        path = kind.collection_path(selection.namespace)
        reply = await self._transport.request(Call("GET", path, query, accept=accept, repeatable=True))
        return decode_page(reply.body, kind)

    # ------------------------------------------------------------ writing

    async def create(
        self,
        kind: Kind,
        manifest: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
        validation: Validation = Validation.WARN,
        field_manager: str = DEFAULT_FIELD_MANAGER,
    ) -> Written:
        """Create; `metadata.generateName` works. Raises AlreadyExists, Invalid."""
        if kind.namespaced and namespace is None:
            namespace = _name(manifest, "namespace")
            if namespace is None:
                raise NameRefused(f"a {kind.kind} needs a namespace")
        call = Call(
            "POST",
            kind.collection_path(namespace),
            _write_query(dry_run, validation, field_manager),
            body=encode(manifest),
            repeatable=dry_run,
        )
        return _written(await self._transport.request(call))

    async def create_subresource(
        self,
        kind: Kind,
        name: str,
        subresource: str,
        manifest: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Written:
        """Post to a subresource that is an act: `token` of a ServiceAccount, `eviction` of a Pod."""
        call = Call(
            "POST",
            kind.object_path(name, namespace, subresource),
            (("dryRun", "All"),) if dry_run else (),
            body=encode(manifest),
            repeatable=dry_run,
        )
        return _written(await self._transport.request(call))

    async def apply(
        self,
        kind: Kind,
        manifest: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        validation: Validation = Validation.WARN,
        field_manager: str = DEFAULT_FIELD_MANAGER,
    ) -> Written:
        """Server-side apply; the name comes from the manifest, so does an unnamed namespace.

        Raises Conflict with `field_conflicts` unless `force`, Invalid with `causes`.
        """
        return await self.apply_bytes(
            kind,
            _name(manifest, "name") or "",
            encode(manifest),
            namespace if namespace is not None else _name(manifest, "namespace"),
            subresource=subresource,
            force=force,
            dry_run=dry_run,
            validation=validation,
            field_manager=field_manager,
        )

    async def apply_bytes(
        self,
        kind: Kind,
        name: str,
        body: bytes,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        validation: Validation = Validation.WARN,
        field_manager: str = DEFAULT_FIELD_MANAGER,
    ) -> Written:
        """Server-side apply of a manifest that is JSON (or YAML) already."""
        query = _write_query(dry_run, validation, field_manager)
        call = Call(
            "PATCH",
            kind.object_path(name, namespace, subresource),
            (*query, ("force", "true")) if force else query,
            body=body,
            content_type="application/apply-patch+yaml",
            repeatable=True,  # applying the same manifest twice ends in the same state
        )
        return _written(await self._transport.request(call))

    async def replace(
        self,
        kind: Kind,
        manifest: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
        validation: Validation = Validation.WARN,
        field_manager: str = DEFAULT_FIELD_MANAGER,
    ) -> Written:
        """Replace the whole object; `metadata.resourceVersion` guards it. Raises Conflict."""
        namespace = namespace if namespace is not None else _name(manifest, "namespace")
        call = Call(
            "PUT",
            kind.object_path(_name(manifest, "name") or "", namespace, subresource),
            _write_query(dry_run, validation, field_manager),
            body=encode(manifest),
            repeatable=dry_run,
        )
        return _written(await self._transport.request(call))

    async def patch(
        self,
        kind: Kind,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        patch_kind: PatchKind = PatchKind.MERGE,
        subresource: str | None = None,
        dry_run: bool = False,
        validation: Validation = Validation.WARN,
        field_manager: str = DEFAULT_FIELD_MANAGER,
    ) -> Written:
        """Change an object by a patch (an object for MERGE, a list of operations for JSON)."""
        call = Call(
            "PATCH",
            kind.object_path(name, namespace, subresource),
            _write_query(dry_run, validation, field_manager),
            body=encode(patch),
            content_type=patch_kind.value,
            repeatable=dry_run or patch_kind is PatchKind.MERGE,
        )
        return _written(await self._transport.request(call))

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Deleted:
        """Delete. `uid` and `resource_version` make sure that it is still the same object.

        Raises NotFound, and Conflict when a precondition does not hold.
        """
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation is not None:
            options["propagationPolicy"] = propagation.value
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if dry_run:
            options["dryRun"] = ["All"]
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if any(preconditions.values()):
            options["preconditions"] = {k: v for k, v in preconditions.items() if v}
        call = Call(
            "DELETE",
            kind.object_path(name, namespace),
            body=encode(options),
            repeatable=dry_run,  # a second delete would answer 404 for what the first one did
        )
        reply = await self._transport.request(call)
        finished = decode(Header, reply.body).kind == "Status"
        return Deleted(reply.body, finished, reply.warnings)


def _written(reply: Reply) -> Written:
    return Written(reply.body, created=reply.code == 201, warnings=reply.warnings)


def _name(manifest: Mapping[str, Any], field_name: str) -> str | None:
    """`metadata.<field_name>` of a manifest that anybody may have written."""
    metadata = manifest.get("metadata")
    name = metadata.get(field_name) if isinstance(metadata, Mapping) else None
    if name is not None and not isinstance(name, str):
        raise ManifestRefused(f"metadata.{field_name} is not text")
    return name


def _write_query(dry_run: bool, validation: Validation, field_manager: str) -> Query:
    query: Query = (("fieldManager", field_manager), ("fieldValidation", validation.value))
    return (*query, ("dryRun", "All")) if dry_run else query
