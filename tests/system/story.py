"""What the steps of the story share: the installation, the cluster, and what was made on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.system.clients import GraphQL, Rest
from tests.system.installation import Installation
from tests.system.waiting import until

from meshery_kube import Client, Kind, Selection
from meshery_kube.errors import NotFound

RESOURCES = "/api/system/meshsync/resources"
#: Not in the inventory: they change all the time.
_LEFT_OUT = {("coordination.k8s.io/v1", "Lease"), ("v1", "Event"), ("events.k8s.io/v1", "Event")}

Seen = tuple[str, str, str, str, str, tuple[tuple[str, str], ...]]


@dataclass
class Story:
    """The state of one telling."""

    meshery: Installation
    kube: Client
    kubeconfig: str
    #: Ends the names of everything that this telling makes in the cluster.
    mark: str = field(default_factory=lambda: uuid4().hex[:6])
    user: dict[str, Any] = field(default_factory=dict)
    organization_id: str = ""
    connection_id: str = ""
    cluster_id: str = ""
    design_id: str = ""
    token: str = ""
    #: How often the design was saved after its import.
    saves: int = 0

    @property
    def rest(self) -> Rest:
        """REST as the machine's own person."""
        return self.meshery.rest()

    @property
    def graphql(self) -> GraphQL:
        """GraphQL as the machine's own person."""
        return self.meshery.graphql()

    async def step(self, work: Any) -> None:
        """One step, timed; a failure names it."""
        started = time.monotonic()
        try:
            await work(self)
        except AssertionError as error:
            error.add_note(f"in step: {work.__name__} ({(work.__doc__ or '').splitlines()[0]})")
            raise
        # Shown with a failure, and by `pytest -s`.
        print(f"{work.__name__:<32}{time.monotonic() - started:6.1f} s")

    # --- the cluster, by a client that knows nothing of us --------------------------------------------------

    async def kind(self, api_version: str, kind: str) -> Kind:
        """A kind that the cluster serves."""
        return await self.kube.discovery.find(api_version, kind)

    async def put(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object; gives it as the API server has it."""
        kind = await self.kind(manifest["apiVersion"], manifest["kind"])
        return dict((await self.kube.objects.create(kind, manifest)).object)

    async def patch(
        self, api_version: str, kind: str, name: str, namespace: str | None, **fields: Any
    ) -> None:
        """Merge fields into an object."""
        await self.kube.objects.patch(await self.kind(api_version, kind), name, fields, namespace)

    async def remove(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete an object."""
        await self.kube.objects.delete(await self.kind(api_version, kind), name, namespace)

    async def live(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """An object of the cluster, or None when it is not there."""
        try:
            return dict(await self.kube.objects.get(await self.kind(api_version, kind), name, namespace))
        except NotFound:
            return None

    async def running_pods(self, namespace: str) -> int:
        """How many Pods of a namespace run."""
        selection = Selection(namespace=namespace)
        async with aclosing(self.kube.objects.list(await self.kind("v1", "Pod"), selection)) as pods:
            return len([one async for one in pods if (one.get("status") or {}).get("phase") == "Running"])

    # --- the picture of it, by REST -------------------------------------------------------------------------

    async def resources(self, **query: Any) -> list[dict[str, Any]]:
        """Rows of the inventory."""
        return await self.rest.all_pages(RESOURCES, "resources", clusterIds=self.cluster_id, **query)

    async def resource(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """One row of the inventory by its name."""
        rows = await self.resources(kind=kind, namespace=namespace, search=name, labels="true", spec="true")
        return next((one for one in rows if one["metadata"]["name"] == name), None)

    async def pictured(self) -> set[Seen]:
        """Everything that the inventory shows of the cluster."""
        return {
            (
                one["apiVersion"],
                one["kind"],
                one["metadata"].get("namespace") or "",
                one["metadata"]["name"],
                one["metadata"].get("uid") or "",
                tuple(
                    sorted((row["key"], row.get("value", "")) for row in one["metadata"].get("labels") or [])
                ),
            )
            for one in await self.resources(labels="true")
        }

    async def real(self) -> set[Seen]:
        """Everything that is in the cluster, each object in its preferred version."""
        found: set[Seen] = set()
        catalogue = await self.kube.discovery.refresh()
        for kind in catalogue.watchable():
            if (kind.api_version, kind.kind) in _LEFT_OUT:
                continue
            selection = Selection(metadata_only=True)
            async with aclosing(self.kube.objects.list(kind, selection)) as objects:
                async for one in objects:
                    found.add(_seen(kind, one))
        return found

    async def picture_equals_cluster(self, *, seconds: float = 30.0) -> int:
        """Wait until the inventory equals the cluster: kinds, namespaces, names, uids and labels. Gives the count."""

        async def compare() -> tuple[list[Seen], list[Seen], int]:
            real, pictured = await self.real(), await self.pictured()
            return sorted(real - pictured), sorted(pictured - real), len(real)

        missing, surplus, count = await until(
            "the inventory equals the cluster (first what it lacks, then what it has too much)",
            compare,
            lambda seen: not seen[0] and not seen[1],
            seconds=seconds,
            pause=0.5,
        )
        assert not missing
        assert not surplus
        return count


def _seen(kind: Kind, one: Any) -> Seen:
    metadata = one["metadata"]
    return (
        kind.api_version,
        kind.kind,
        metadata.get("namespace") or "",
        metadata["name"],
        metadata.get("uid") or "",
        tuple(sorted((metadata.get("labels") or {}).items())),
    )
