"""Which addresses may be talked to, checked again at every connect.

Who uploads a kubeconfig or names a URL names a host of his choice: without this check he could make
us talk to our own loopback, to services in our network or to a cloud's metadata address. Names are
resolved by us and every resolved address is checked, so that a name cannot change its address
between check and use.
"""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from meshery_web.errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local: AWS, GCP, Azure, OpenStack metadata
        "fe80::/10",
        "fd00:ec2::/32",  # AWS metadata and time over IPv6
        "100.100.100.200/32",  # Alibaba metadata
        "192.0.0.192/32",  # Oracle metadata
        "168.63.129.16/32",  # Azure host agent
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PRIVATE: tuple[Network, ...] = tuple(
    # Named one by one: ipaddress counts documentation and reserved ranges as private, too.
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What is allowed beside public addresses.

    Link-local and cloud metadata addresses, multicast and unspecified ones are refused always.
    `allow_networks` lets single networks in (an organisation's allowlist), `deny_networks` keeps
    networks out whatever else is allowed (our own service network).
    """

    allow_private: bool = False
    allow_loopback: bool = False
    allow_networks: tuple[Network, ...] = ()
    deny_networks: tuple[Network, ...] = ()

    def refusal(self, address: Address) -> str | None:
        """Why the address is refused, or None when it is fine."""
        address = unwrap(address)
        if any(address in network for network in _METADATA):
            return "link-local and cloud metadata addresses are never allowed"
        if address.is_multicast or address.is_unspecified or address == _BROADCAST:
            return "it is not the address of one machine"
        if any(address in network for network in self.deny_networks):
            return "it belongs to a network that is kept out"
        if any(address in network for network in self.allow_networks):
            return None
        if address.is_loopback:
            return None if self.allow_loopback else "it is this machine's loopback"
        if any(address in network for network in _PRIVATE):
            return None if self.allow_private else "it is a private address"
        if not address.is_global:
            return "it is a reserved address"
        return None

    def check(self, host: str, address: str) -> None:
        """Raise AddressRefused unless `address` (text of an IP address) is allowed."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise AddressRefused(host, address, "it is no IP address") from None
        if reason := self.refusal(parsed):
            raise AddressRefused(host, address, reason)


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv6 form carries (mapped, NAT64, 6to4, Teredo), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return address


class CheckedResolver(AbstractResolver):
    """Resolve as usual, then refuse the whole name if any of its addresses is refused."""

    def __init__(self, policy: AddressPolicy, inner: AbstractResolver | None = None) -> None:
        self._policy = policy
        self._inner = inner or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raise AddressRefused for a forbidden address, OSError when the name is unknown."""
        results = await self._inner.resolve(host, port, family)
        for result in results:
            self._policy.check(host, result["host"])
        return results

    async def close(self) -> None:
        """Release the inner resolver."""
        await self._inner.close()


def socket_factory(policy: AddressPolicy | None) -> Callable[[Any], socket.socket]:
    """Make sockets for a connector: checked (IP literals skip the resolver) and kept alive.

    Keep-alive finds a dead peer within about a minute where no bytes are expected (followed logs).
    """

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _name, address = info
        if policy is not None:
            policy.check(address[0], address[0])
        made = socket.socket(family=family, type=kind, proto=protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):  # Linux has all three, other systems some
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        return made

    return make
