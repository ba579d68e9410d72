"""Fetching what a person named by a URL, within limits. One client for everything that is fetched.

Only the schemes, ports and addresses of the policy are talked to, redirects included; nothing is sent that belongs to
another host, nothing is read beyond the limit. It returns bytes; what they are is the caller's business.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote

import aiohttp
from aiohttp import hdrs
from yarl import URL

from meshery_web.addresses import AddressPolicy, CheckedResolver, socket_factory
from meshery_web.errors import AddressRefused, FetchError, Reason

MAX_URL_CHARACTERS = 2048
_CHUNK_BYTES = 64 * 1024
_AGENT = "meshery"
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What may be fetched. Sizes in bytes, after unpacking a compressed transfer; times in seconds."""

    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    allow_http: bool = False
    #: None: every port.
    ports: frozenset[int] | None = frozenset({80, 443})
    max_bytes: int = 64 * 1024 * 1024
    connect_seconds: float = 5.0
    total_seconds: float = 60.0
    redirects: int = 3


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `url` is where it came from in the end; names of headers are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def file_name(self) -> str:
        """What the server calls it, else the last part of the path; never with a folder."""
        message = Message()
        message["content-disposition"] = self.headers.get("content-disposition", "")
        name = message.get_filename() or unquote(self.url.partition("?")[0].rstrip("/").rpartition("/")[2])
        return name.replace("\\", "/").rpartition("/")[2][:255]


class Fetcher:
    """Fetches by one policy."""

    def __init__(self, policy: FetchPolicy, session: aiohttp.ClientSession) -> None:
        self.policy = policy
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, policy: FetchPolicy) -> AsyncIterator[Fetcher]:
        """A fetcher for the time of the block."""
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(policy.addresses),
            use_dns_cache=False,
            socket_factory=socket_factory(policy.addresses),
            force_close=True,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=policy.connect_seconds),
            headers={hdrs.USER_AGENT: _AGENT, hdrs.ACCEPT_ENCODING: "identity"},
        ) as session:
            yield cls(policy, session)

    async def get(
        self, url: str, *, accept: str = "*/*", authorization: str = "", max_bytes: int | None = None
    ) -> Fetched:
        """What is at the URL, with a status of 2xx. Raises FetchError."""
        fetched = await self.request(
            "GET", url, headers={hdrs.ACCEPT: accept}, authorization=authorization, max_bytes=max_bytes
        )
        if not 200 <= fetched.status < 300:
            host = URL(fetched.url).host
            raise FetchError(
                Reason.STATUS, f"{host} answers with status {fetched.status}.", status=fetched.status
            )
        return fetched

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        authorization: str = "",
        body: bytes | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        """The answer to one request, whatever its status; a GET follows redirects.

        `authorization` goes to the host of `url` and to no other; who redirects elsewhere has seen the last of it.
        Raises FetchError.
        """
        limit = self.policy.max_bytes if max_bytes is None else min(max_bytes, self.policy.max_bytes)
        here = checked(url, self.policy)
        origin = here.origin()
        try:
            async with asyncio.timeout(self.policy.total_seconds):
                for _ in range(self.policy.redirects + 1):
                    sent = dict(headers or {})
                    if here.origin() != origin:
                        authorization = ""
                    if authorization:
                        sent[hdrs.AUTHORIZATION] = authorization
                    answer = await self._once(method, here, sent, body, limit)
                    target = answer.headers.get("location", "")
                    if method != "GET" or answer.status not in _MOVED or not target:
                        return answer
                    here = checked(_joined(here, target), self.policy)
        except TimeoutError as error:
            raise FetchError(
                Reason.TIMEOUT,
                f"{here.host} did not send everything within {self.policy.total_seconds:g} seconds.",
            ) from error
        raise FetchError(
            Reason.REDIRECTS, f"{origin.host} redirects more than {self.policy.redirects} times."
        )

    async def _once(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> Fetched:
        with _translated(url):
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                content = bytearray()
                unpacked = _unpacking(found.get("content-encoding", ""), url, limit)
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    content += unpacked(chunk)
                    if len(content) > limit:
                        raise FetchError(
                            Reason.TOO_LARGE, f"What {url.host} sends is larger than {limit:,} bytes."
                        )
                return Fetched(str(url), response.status, found, bytes(content))


def checked(url: str, policy: FetchPolicy) -> URL:
    """The URL, if it is of a form that the policy allows; its address is checked later. Raises FetchError."""
    if len(url) > MAX_URL_CHARACTERS:
        raise FetchError(Reason.URL, f"The URL is longer than {MAX_URL_CHARACTERS:,} characters.")
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
    except ValueError as error:
        raise FetchError(Reason.URL, "This is no URL that can be understood.") from error
    if not host or parsed.scheme not in ("http", "https"):
        raise FetchError(Reason.URL, "Only https:// and http:// URLs with a host can be fetched.")
    if parsed.user is not None or parsed.password is not None:
        raise FetchError(Reason.URL, "The URL holds a user name or a password: leave them out.")
    if parsed.scheme == "http" and not policy.allow_http:
        raise FetchError(Reason.URL, f"{host} would be asked over http: this installation allows https only.")
    if policy.ports is not None and port not in policy.ports:
        raise FetchError(Reason.URL, f"Port {port} of {host} is none that this installation asks.")
    return parsed.with_fragment(None)


def _joined(base: URL, target: str) -> str:
    try:
        return str(base.join(URL(target)))
    except ValueError as error:
        raise FetchError(Reason.URL, f"{base.host} redirects to something that is no URL.") from error


class _Unpacking:
    """Undoes the compression of a transfer, never beyond the limit. Some servers compress although asked not to."""

    def __init__(self, url: URL, limit: int) -> None:
        self._url = url
        self._limit = limit
        self._unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, as the bytes say

    def __call__(self, chunk: bytes) -> bytes:
        try:
            # One byte more than allowed is enough to see that it is too much.
            return self._unpacker.decompress(chunk, self._limit + 1)
        except zlib.error as error:
            raise FetchError(Reason.ENCODING, f"What {self._url.host} sends is damaged.") from error


def _unpacking(encoding: str, url: URL, limit: int) -> _Unpacking | type[bytes]:
    match encoding.strip().lower():
        case "" | "identity":
            return bytes
        case "gzip" | "x-gzip" | "deflate":
            return _Unpacking(url, limit)
        case _:
            raise FetchError(Reason.ENCODING, f"{url.host} compresses in a way that is not understood.")


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    """Errors of the HTTP library as ours: what is wrong, and nothing of what the other side said."""
    try:
        yield
    except AddressRefused as error:
        raise FetchError(
            Reason.ADDRESS, f"{url.host} is at an address that this installation does not fetch from."
        ) from error
    except aiohttp.ServerTimeoutError as error:
        raise FetchError(Reason.TIMEOUT, f"{url.host} does not answer in time.") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise FetchError(Reason.UNREACHABLE, f"The name {url.host} is not known.") from error
    except aiohttp.ClientSSLError as error:
        raise FetchError(
            Reason.UNREACHABLE, f"No secure connection to {url.host}: its certificate."
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise FetchError(Reason.UNREACHABLE, f"{url.host} cannot be reached, or breaks off.") from error
