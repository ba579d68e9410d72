"""Asking a cluster which kinds it serves.

Two requests where the server aggregates (KEP-3352, Kubernetes 1.27 and later); one per group
version elsewhere. A group whose own server is down is noted, and the others are still found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from meshery_kube.catalogues import Catalogue, KindNotServed, catalogue_of
from meshery_kube.errors import ApiError, KubeError, NotFound, ProtocolError, Timeout
from meshery_kube.events import Change, SnapshotEnded
from meshery_kube.kinds import API_SERVICE, CUSTOM_RESOURCE_DEFINITION, Kind, segment
from meshery_kube.pages import Selection, decode_object
from meshery_kube.streaming import StreamingSupport
from meshery_kube.transports import Call, Transport
from meshery_kube.watches import Watch, WatchOptions

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)
_MISS_SECONDS = 5.0
"""A manifest of an unknown kind makes us ask again, but not more often than this."""
_SETTLE_SECONDS = (0.5, 5.0)
"""A new CRD is served a moment after its event: look soon, and once more."""


class Discovery:
    """The cluster's kinds, kept until refreshed."""

    def __init__(self, transport: Transport, support: StreamingSupport) -> None:
        self._transport = transport
        self._support = support
        self._lock = asyncio.Lock()
        self._catalogue: Catalogue | None = None
        self._refreshed_at = float("-inf")
        self._parts: dict[str, tuple[str, list[Kind], list[str]]] = {}

    async def catalogue(self) -> Catalogue:
        """The kinds as they were found last; asked for at the first use."""
        return self._catalogue or await self.refresh()

    async def refresh(self) -> Catalogue:
        """Ask again. Unchanged parts cost the server a comparison (ETag) and us no decoding."""
        async with self._lock:
            parts = [await self._part("/api"), await self._part("/apis")]
            self._catalogue = catalogue_of(
                [kind for kinds, _ in parts for kind in kinds],
                [name for _, missing in parts for name in missing],
            )
            self._refreshed_at = asyncio.get_running_loop().time()
            return self._catalogue

    async def find(self, api_version: str, kind: str) -> Kind:
        """The kind of a manifest; asks again for one that is not known. Raises KindNotServed."""
        try:
            return (await self.catalogue()).find(api_version, kind)
        except KindNotServed:
            if asyncio.get_running_loop().time() - self._refreshed_at < _MISS_SECONDS:
                raise
        return (await self.refresh()).find(api_version, kind)

    async def follow(self, changed: Callable[[Catalogue], Awaitable[None]], every: float = 300.0) -> None:
        """Call `changed` now and whenever the kinds change; never returns.

        Looks after each event of a CRD or APIService, and every `every` seconds in any case: where
        we may not watch those two, that is all there is. Faults of a look are waited out.
        """
        wake = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wake_on(CUSTOM_RESOURCE_DEFINITION, wake))
            tasks.create_task(self._wake_on(API_SERVICE, wake))
            known: Catalogue | None = None
            pauses: list[float] = []
            while True:
                try:
                    found = await self.refresh()
                except KubeError:
                    pauses = pauses or [_SETTLE_SECONDS[-1]]
                else:
                    if found != known:
                        known = found
                        await changed(found)
                pause = pauses.pop(0) if pauses else every
                wake.clear()
                try:
                    async with asyncio.timeout(pause):
                        await wake.wait()
                    await asyncio.sleep(_SETTLE_SECONDS[0])  # an operator installs many at once
                    pauses = list(_SETTLE_SECONDS)
                except TimeoutError:
                    pass

    async def _wake_on(self, kind: Kind, wake: asyncio.Event) -> None:
        watch = Watch(self._transport, self._support, kind, Selection(metadata_only=True), WatchOptions())
        async with aclosing(watch.batches()) as batches:
            async for batch in batches:
                if any(isinstance(event, Change | SnapshotEnded) for event in batch):
                    wake.set()

    # ------------------------------------------------------------ asking

    async def _part(self, path: str) -> tuple[list[Kind], list[str]]:
        etag, kinds, missing = self._parts.get(path, ("", [], []))
        headers = (("If-None-Match", etag),) if etag else ()
        reply = await self._transport.request(
            Call("GET", path, accept=AGGREGATED, headers=headers, repeatable=True)
        )
        if reply.code == 304:
            return kinds, missing
        document = decode_object(reply.body)
        listed = document.get("kind")
        if listed == "APIGroupDiscoveryList":
            missing = []
            kinds = list(_aggregated(document, missing))
            self._parts[path] = (reply.etag, kinds, missing)
            return kinds, missing
        if listed == "APIVersions":
            versions = [("", version) for version in _texts(document.get("versions"))]
        elif listed == "APIGroupList":
            versions = list(_group_versions(document))
        else:
            raise ProtocolError(f"GET {path}: this is no Kubernetes discovery document")
        return await self._one_by_one(versions)

    async def _one_by_one(self, versions: list[tuple[str, str]]) -> tuple[list[Kind], list[str]]:
        missing: list[str] = []

        async def ask(group: str, version: str) -> list[Kind]:
            path = f"/apis/{segment(group, 'group')}/" if group else "/api/"
            try:
                reply = await self._transport.request(Call("GET", path + segment(version, "version")))
                return list(_resources(decode_object(reply.body), group, version))
            except NotFound:
                return []  # removed between the two requests
            except (ApiError, ProtocolError, Timeout):
                missing.append(f"{group}/{version}")
                return []

        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(ask(group, version)) for group, version in versions]
        return [kind for task in asked for kind in task.result()], missing


# ---------------------------------------------------------------- reading the documents


def _aggregated(document: Mapping[str, Any], missing: list[str]) -> Iterator[Kind]:
    """staging/src/k8s.io/api/apidiscovery/v2/types.go"""
    for item in _mappings(document.get("items")):
        group = _text(_mapping(item.get("metadata")).get("name"))
        for served in _mappings(item.get("versions")):
            version = _text(served.get("version"))
            if served.get("freshness") == "Stale":
                missing.append(f"{group}/{version}" if group else version)
            for resource in _mappings(served.get("resources")):
                # Left empty, group and version are those of the document around it.
                kind = _text(_mapping(resource.get("responseKind")).get("kind"))
                if not kind:
                    continue  # only subresources are served
                yield Kind(
                    group=group,
                    version=version,
                    kind=kind,
                    plural=_text(resource.get("resource")),
                    namespaced=resource.get("scope") == "Namespaced",
                    verbs=frozenset(_texts(resource.get("verbs"))),
                    singular=_text(resource.get("singularResource")),
                    short_names=_texts(resource.get("shortNames")),
                    categories=_texts(resource.get("categories")),
                    subresources=frozenset(
                        _text(sub.get("subresource")) for sub in _mappings(resource.get("subresources"))
                    ),
                )


def _group_versions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Preferred version first, the others in the server's order."""
    for group in _mappings(document.get("groups")):
        name = _text(group.get("name"))
        preferred = _text(_mapping(group.get("preferredVersion")).get("version"))
        versions = [_text(v.get("version")) for v in _mappings(group.get("versions"))]
        for version in sorted(versions, key=lambda version: version != preferred):
            yield name, version


def _resources(document: Mapping[str, Any], group: str, version: str) -> Iterator[Kind]:
    """APIResourceList: subresources stand beside their resource as `pods/log`."""
    resources = list(_mappings(document.get("resources")))
    subresources: dict[str, set[str]] = {}
    for resource in resources:
        plural, slash, sub = _text(resource.get("name")).partition("/")
        if slash:
            subresources.setdefault(plural, set()).add(sub)
    for resource in resources:
        plural = _text(resource.get("name"))
        if not plural or "/" in plural:
            continue
        yield Kind(
            group=group,
            version=version,
            kind=_text(resource.get("kind")),
            plural=plural,
            namespaced=resource.get("namespaced") is True,
            verbs=frozenset(_texts(resource.get("verbs"))),
            singular=_text(resource.get("singularName")),
            short_names=_texts(resource.get("shortNames")),
            categories=_texts(resource.get("categories")),
            subresources=frozenset(subresources.get(plural, ())),
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in (value if isinstance(value, list) else []) if isinstance(item, Mapping))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(v for v in (value if isinstance(value, list) else []) if isinstance(v, str))
