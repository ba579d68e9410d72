"""The way in: one client per cluster and identity."""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from meshery_kube.credentials import Credentials
from meshery_kube.discovery import Discovery
from meshery_kube.errors import ProtocolError
from meshery_kube.events import WatchEvent
from meshery_kube.kinds import NAMESPACE, Kind
from meshery_kube.kubeconfigs import Context, Impersonation
from meshery_kube.logs import Logs
from meshery_kube.objects import Objects
from meshery_kube.openapi import OpenAPI
from meshery_kube.pages import Selection
from meshery_kube.reviews import Reviews
from meshery_kube.streaming import StreamingSupport
from meshery_kube.transports import ClientSettings, Transport
from meshery_kube.versions import Version, read_version
from meshery_kube.watches import Watch, WatchOptions
from meshery_web import AddressPolicy


class Client:
    """A cluster, seen with one identity.

        async with Client(context) as kube:
            pods = await kube.discovery.find("v1", "Pod")
            async for pod in kube.objects.list(pods, Selection(namespace="default")): ...

    `addresses` None means that any address is good: right for the machine's own contexts, never
    for uploaded ones.
    """

    def __init__(
        self,
        context: Context,
        settings: ClientSettings | None = None,
        addresses: AddressPolicy | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._bind(Transport(context, settings, addresses, credentials))

    def _bind(self, transport: Transport) -> None:
        self.transport = transport
        self._support = StreamingSupport(self.version)
        self.objects = Objects(transport)
        self.discovery = Discovery(transport, self._support)
        self.openapi = OpenAPI(transport)
        self.reviews = Reviews(transport)
        self.logs = Logs(transport)

    async def __aenter__(self) -> Self:
        """Prepare; nothing is sent yet. Raises KubeconfigMalformed for unusable certificates."""
        await self.transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self.transport.__aexit__(kind, error, trace)

    def impersonating(self, impersonation: Impersonation) -> "Client":
        """The same connections, on behalf of somebody; use it only while this client is open.

        Raises CredentialError for names that no header can carry.
        """
        view = object.__new__(Client)
        view._bind(self.transport.impersonating(impersonation))
        return view

    async def version(self, timeout: float | None = None) -> Version:
        """What the server is: also the cheapest proof that it is there. `timeout` in seconds."""
        return await read_version(self.transport, timeout)

    async def cluster_id(self) -> str:
        """The uid of namespace kube-system: the usual identity of a cluster.

        Raises Forbidden where we may not read it.
        """
        namespace = await self.objects.get(NAMESPACE, "kube-system", metadata_only=True)
        metadata = namespace.get("metadata")
        uid = metadata.get("uid") if isinstance(metadata, dict) else None
        if not isinstance(uid, str) or not uid:
            raise ProtocolError("namespace kube-system has no uid")
        return uid

    def watch(
        self, kind: Kind, selection: Selection | None = None, options: WatchOptions | None = None
    ) -> AsyncGenerator[WatchEvent, None]:
        """Follow all selected objects for ever; see `events` for what comes. Use aclosing()."""
        return self.watching(kind, selection, options).events()

    def watching(
        self, kind: Kind, selection: Selection | None = None, options: WatchOptions | None = None
    ) -> Watch:
        """The watch as an object: for its `batches()` and its `resource_version`."""
        return Watch(
            self.transport,
            self._support,
            kind,
            selection or Selection(),
            options or WatchOptions(),
        )
