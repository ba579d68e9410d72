"""What every request must pass before anything reads it: for which host, from which page, from which machine.

A browser lets any page send requests to a local address. So the Host must be one of ours (a foreign name that
resolves to us is a rebinding attack), and what changes something, or opens a socket, must come from our own page
or from no page at all.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

from meshery_contracts.errors import Forbidden, Invalid

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\s]+)(?::[0-9]{1,5})?")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
#: What proxies add to the requests that they pass on.
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Real-IP", "Via")

#: On every answer. Scripts and styles come from us alone; nobody frames us; types are not guessed.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Guard:
    """Knows our own names."""

    def __init__(self, public_url: str, allowed_hosts: list[str]) -> None:
        public = urlsplit(public_url)
        self._origin = f"{public.scheme}://{public.netloc}".lower() if public.netloc else ""
        names = {*_LOOPBACK_NAMES, *(one.lower() for one in allowed_hosts)}
        if public.hostname:
            names.add(public.hostname.lower())
        self._hosts = frozenset(names)

    def check(self, request: web.Request) -> None:
        """Raise Invalid for a foreign Host, Forbidden for a write or upgrade that a foreign page sends."""
        headers = request.headers
        host = headers.get("Host", "")
        if _name_of(host) not in self._hosts:
            raise Invalid(
                f"This server is not {host!r}.",
                code="host_foreign",
                cause="The request names a host that this server does not know as its own.",
                remedy="Use the server's own address, or add the name to GATEWAY_ALLOWED_HOSTS.",
            )
        if request.method in _READS and "Upgrade" not in headers:
            return
        self.check_page(request)

    def check_page(self, request: web.Request) -> None:
        """Raise Forbidden unless the request comes from our own page, or from no page."""
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        foreign_site = site is not None and site.lower() not in _OWN_SITES
        if foreign_site or (origin is not None and not self._is_own(origin, request.headers.get("Host", ""))):
            raise Forbidden(
                "The request comes from a page of another site.",
                code="origin_foreign",
                cause="A page elsewhere made the browser send it.",
                remedy="Use our own pages, or a client that is no browser, with a token.",
            )

    def _is_own(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        if not origin:
            return False
        return origin == self._origin or urlsplit(origin).netloc == host.lower()


def _name_of(host: str) -> str:
    """The host name without its port, lower case; empty for what is no host and port."""
    found = _HOST.fullmatch(host.lower())
    return found[1] if found is not None else ""


def from_loopback(request: web.Request) -> bool:
    """Whether the client is on this very machine, and not behind a proxy on it.

    A proxy that adds no header still passes on the Host that its clients asked for: who is here names loopback.
    """
    here = _name_of(request.headers.get("Host", "")) in _LOOPBACK_NAMES
    return here and not is_forwarded(request) and _is_loopback(request.remote or "")


def is_forwarded(request: web.Request) -> bool:
    """Whether a proxy passed it on: then the address it comes from is the proxy's."""
    return any(name in request.headers for name in _FORWARDED)


@lru_cache(maxsize=1000)
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
