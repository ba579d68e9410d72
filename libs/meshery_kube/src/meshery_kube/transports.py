"""HTTP towards one API server: connections, identity, time limits, retries, size limits.

Everything above speaks in Calls and Replies; nothing above sees aiohttp except the body stream.
"""

import asyncio
import copy
import dataclasses
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from meshery_kube.certificates import tls_context
from meshery_kube.credentials import (
    Credentials,
    Identity,
    credentials_for,
    impersonation_headers,
    secrets_of,
)
from meshery_kube.errors import (
    Fault,
    KubeError,
    ProtocolError,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
    api_error,
)
from meshery_kube.faults import translated
from meshery_kube.kubeconfigs import Context, Impersonation
from meshery_kube.limits import Backoff, RateLimiter
from meshery_kube.statuses import Status, parse_warnings, status_from_reply
from meshery_web.addresses import AddressPolicy, CheckedResolver, socket_factory

JSON = "application/json"
_FAIR_SERVER = "X-Kubernetes-PF-FlowSchema-UID"
"""In each answer of a server that queues requests itself, and says 429 when it has too many."""
_ERROR_BYTES = 1 << 20
"""How much of a refusal's body is read: a Status is a few kilobytes."""

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client behaves towards its server. Times in seconds, sizes in bytes.

    `rate` and `burst` limit requests a second over all callers of a client, unless the server shares
    itself out fairly (API priority and fairness); `max_in_flight` limits short requests (watches and
    log streams do not count). `timeout` is for one call with all its
    retries. `max_body_bytes` is counted after decompression.
    """

    user_agent: str = "meshery"
    rate: float = 50.0
    burst: int = 100
    max_in_flight: int = 32
    connect_timeout: float = 10.0
    timeout: float = 30.0
    retries: int = 3
    retry_pause: float = 0.5
    max_body_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `repeatable` means that a second execution would do no harm."""

    method: str
    path: str
    query: Query = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    repeatable: bool = False

    @property
    def name(self) -> str:
        """Method and path, for messages; the query may hold a continue token."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its whole body. `warnings` are the server's `Warning: 299` texts."""

    code: int
    body: bytes = field(repr=False)
    etag: str = ""
    warnings: tuple[str, ...] = ()


class Stream:
    """The body of a reply that goes on and on."""

    def __init__(self, response: aiohttp.ClientResponse, server: str, name: str) -> None:
        self._content = response.content
        self._server = server
        self._name = name

    async def read(self, idle: float | None = None) -> bytes:
        """What has come in, as one chunk of up to some hundred KiB; b"" at the end.

        Raises Timeout when nothing comes for `idle` seconds, Unreachable when the stream breaks.
        """
        with translated(self._server, self._name):
            if idle is None:
                return await self._content.readany()
            try:
                async with asyncio.timeout(idle):
                    return await self._content.readany()
            except TimeoutError as error:
                raise Timeout(f"{self._name}: silent for {idle:g} s") from error


class Transport:
    """A pool of connections to one server. Open it with `async with`."""

    def __init__(
        self,
        context: Context,
        settings: ClientSettings | None = None,
        addresses: AddressPolicy | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.context = context
        self.settings = settings or ClientSettings()
        self._addresses = addresses
        self._credentials = credentials or credentials_for(context)
        self._impersonation = impersonation_headers(context.user.impersonation)
        self._limiter = RateLimiter(self.settings.rate, self.settings.burst)
        self._in_flight = asyncio.Semaphore(self.settings.max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self._tls: tuple[Identity, ssl.SSLContext] | None = None

    async def __aenter__(self) -> Self:
        """Prepare the pool; nothing is sent. Raises KubeconfigMalformed for unusable PEM data."""
        user = self.context.user
        if self.context.server.url.startswith("https:") and not user.exec_plugin:
            self._tls_context(Identity(None, user.certificate, user.key))
        connector = aiohttp.TCPConnector(
            limit=0,  # each watch holds a connection; short requests have their own limit
            resolver=CheckedResolver(self._addresses) if self._addresses else None,
            use_dns_cache=self._addresses is None,
            socket_factory=socket_factory(self._addresses),
            keepalive_timeout=60,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self.settings.connect_timeout, sock_read=None
            ),
            headers={"User-Agent": f"{self.settings.user_agent} meshery-kube/{version('meshery-kube')}"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections; streams that are still read end with Unreachable."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)  # aborted connections close their sockets in the loop's next turn

    def impersonating(self, impersonation: Impersonation) -> "Transport":
        """The same pool, on behalf of somebody. Use it only while this transport is open."""
        view = copy.copy(self)
        view._impersonation = impersonation_headers(impersonation)
        return view

    # ------------------------------------------------------------ requests

    async def request(self, call: Call, timeout: float | None = None) -> Reply:
        """Send, wait, and retry where that is safe. `timeout` in seconds, retries included.

        429 is retried for every call, for the server did not begin; a broken connection and 503
        only where the call is repeatable; 401 once, with renewed credentials.
        Raises KubeError's subclasses.
        """
        limit = self.settings.timeout if timeout is None else timeout
        deadline = asyncio.get_running_loop().time() + limit
        try:
            async with asyncio.timeout_at(deadline), self._in_flight:
                return await self._with_retries(call, deadline)
        except TimeoutError as error:
            raise Timeout(f"{call.name}: no answer within {limit:g} s") from error

    async def _with_retries(self, call: Call, deadline: float) -> Reply:
        loop = asyncio.get_running_loop()
        backoff = Backoff(first=self.settings.retry_pause, longest=10.0, jitter=0.5)
        renewed = False
        attempt = 0
        while True:
            await self._limiter.take()
            asked: float | None = None
            try:
                return await self._once(call)
            except Unauthorized:
                if renewed or not await self._credentials.renew():
                    raise
                renewed = True
                continue
            except KubeError as error:
                if not _worth_retrying(error, call):
                    raise
                if isinstance(error, TooManyRequests | Unavailable):
                    asked = error.retry_after
                attempt += 1
                pause = backoff.pause(asked)
                # Rather say now why it failed than run into the deadline and say only that.
                if attempt > self.settings.retries or loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause)

    async def _once(self, call: Call) -> Reply:
        response = await self._send(call, compressed=self.context.server.compression)
        try:
            return Reply(
                code=response.status,
                body=await self._read(response, self.settings.max_body_bytes, call),
                etag=response.headers.get("ETag", ""),
                warnings=parse_warnings(response.headers.getall("Warning", [])),
            )
        finally:
            response.release()

    @asynccontextmanager
    async def stream(self, call: Call, timeout: float | None = None) -> AsyncIterator[Stream]:
        """Open a reply without an end (watch, followed log) and give its body to be read.

        `timeout` (seconds) is for the answer to begin; reading has its own. Nothing is retried
        except a 401, once, with renewed credentials. Raises KubeError's subclasses.
        """
        limit = self.settings.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(limit):
                response = await self._send_renewing(call)
        except TimeoutError as error:
            raise Timeout(f"{call.name}: no answer within {limit:g} s") from error
        try:
            yield Stream(response, self.context.server.url, call.name)
        finally:
            # Not release(): the rest of an endless body is not worth reading. Not close() alone: TLS
            # would wait for the goodbye of a server that is still sending.
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            response.close()

    async def _send_renewing(self, call: Call) -> aiohttp.ClientResponse:
        await self._limiter.take()
        try:
            return await self._send(call, compressed=False)
        except Unauthorized:
            if not await self._credentials.renew():
                raise
        return await self._send(call, compressed=False)

    async def _send(self, call: Call, *, compressed: bool) -> aiohttp.ClientResponse:
        """Send and check the status; refusals are raised here. The caller ends the response."""
        if self._session is None or self._session.closed:
            raise KubeError("the client is not open")
        identity = await self._credentials.identity()
        server = self.context.server
        headers = [("Accept", call.accept), *call.headers, *self._impersonation]
        if identity.authorization:
            headers.append(("Authorization", identity.authorization))
        if call.body is not None:
            headers.append(("Content-Type", call.content_type))
        headers.append(("Accept-Encoding", "gzip" if compressed else "identity"))
        query = f"?{urlencode(call.query)}" if call.query else ""
        with translated(server.url, call.name):
            # encoded=True: the path was built segment by segment and must not be normalised again.
            response = await self._session.request(
                call.method,
                URL(f"{server.url}{call.path}{query}", encoded=True),
                headers=headers,
                data=call.body,
                ssl=self._tls_context(identity) if server.url.startswith("https:") else True,
                server_hostname=server.tls_server_name,
                proxy=server.proxy_url,
                allow_redirects=False,
            )
        self._limiter.lifted = _FAIR_SERVER in response.headers
        if response.status < 300 or response.status == 304:
            return response
        try:
            raise await self._refusal(call, response, identity)
        finally:
            response.release()

    async def _refusal(self, call: Call, response: aiohttp.ClientResponse, identity: Identity) -> KubeError:
        if response.status < 400:
            # Following it would carry the credential to wherever the server points.
            return ProtocolError(f"{call.name}: the server redirects; use its real address")
        body = await self._read(response, _ERROR_BYTES, call)
        after = response.headers.get("Retry-After", "")
        status = status_from_reply(
            response.status, body, float(after) if after.isdecimal() and len(after) < 9 else None
        )
        return api_error(_blanked(status, secrets_of(identity)), call.name)

    async def _read(self, response: aiohttp.ClientResponse, limit: int, call: Call) -> bytes:
        parts: list[bytes] = []
        size = 0
        with translated(self.context.server.url, call.name):
            while chunk := await response.content.readany():
                size += len(chunk)
                if size > limit:
                    response.close()
                    raise ProtocolError(f"{call.name}: the answer has more than {limit} bytes")
                parts.append(chunk)
        return b"".join(parts)

    def _tls_context(self, identity: Identity) -> ssl.SSLContext:
        """Made once per certificate: plug-ins may mint a new one."""
        known = self._tls
        if known is None or (known[0].certificate, known[0].key) != (
            identity.certificate,
            identity.key,
        ):
            made = tls_context(self.context.server, identity.certificate, identity.key)
            known = self._tls = (identity, made)
        return known[1]


def _worth_retrying(error: KubeError, call: Call) -> bool:
    if isinstance(error, TooManyRequests):
        return True
    if isinstance(error, Unavailable):
        return call.repeatable
    # Refused, DNS and TLS faults do not go away within seconds; a person waits for the answer.
    return call.repeatable and isinstance(error, Unreachable) and error.fault is Fault.RESET


def _blanked(status: Status, secrets: tuple[str, ...]) -> Status:
    if not any(secret in status.message for secret in secrets):
        return status
    message = status.message
    for secret in secrets:
        message = message.replace(secret, "***")
    return dataclasses.replace(status, message=message, causes=())
