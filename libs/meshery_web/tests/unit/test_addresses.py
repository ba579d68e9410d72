import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from meshery_web import AddressPolicy, AddressRefused
from meshery_web.addresses import CheckedResolver, socket_factory

NOTHING = AddressPolicy()
PRIVATE = AddressPolicy(allow_private=True)
ALL = AddressPolicy(allow_private=True, allow_loopback=True)
LISTED = AddressPolicy(allow_networks=(ipaddress.ip_network("10.1.0.0/16"),))
DENIED = AddressPolicy(allow_private=True, deny_networks=(ipaddress.ip_network("10.2.0.0/16"),))


@pytest.mark.parametrize(
    ("policy", "address", "allowed"),
    [
        (NOTHING, "8.8.8.8", True),
        (NOTHING, "2606:4700::1111", True),
        (NOTHING, "10.0.0.1", False),
        (NOTHING, "172.16.0.1", False),
        (NOTHING, "192.168.1.1", False),
        (NOTHING, "100.64.0.1", False),
        (NOTHING, "fc00::1", False),
        (NOTHING, "127.0.0.1", False),
        (NOTHING, "::1", False),
        (NOTHING, "::ffff:127.0.0.1", False),
        (NOTHING, "::ffff:10.0.0.1", False),
        (NOTHING, "64:ff9b::7f00:1", False),
        (NOTHING, "2002:7f00:1::", False),
        (PRIVATE, "10.0.0.1", True),
        (PRIVATE, "::ffff:10.0.0.1", True),
        (PRIVATE, "fd12::1", True),
        (PRIVATE, "127.0.0.1", False),
        (PRIVATE, "240.0.0.1", False),
        (PRIVATE, "192.0.2.1", False),
        (ALL, "127.0.0.1", True),
        (ALL, "::1", True),
        (ALL, "169.254.169.254", False),
        (ALL, "::ffff:169.254.169.254", False),
        (ALL, "64:ff9b::a9fe:a9fe", False),
        (ALL, "fe80::1", False),
        (ALL, "fe80::1%eth0", False),
        (ALL, "fd00:ec2::254", False),
        (ALL, "100.100.100.200", False),
        (ALL, "168.63.129.16", False),
        (ALL, "0.0.0.0", False),
        (ALL, "::", False),
        (ALL, "224.0.0.1", False),
        (ALL, "ff02::1", False),
        (ALL, "255.255.255.255", False),
        (ALL, "kube.example", False),
        (LISTED, "10.1.2.3", True),
        (LISTED, "10.3.2.3", False),
        (DENIED, "10.1.2.3", True),
        (DENIED, "10.2.2.3", False),
    ],
)
def test_which_addresses_are_allowed(policy: AddressPolicy, address: str, allowed: bool) -> None:
    if allowed:
        policy.check("host", address)
    else:
        with pytest.raises(AddressRefused):
            policy.check("host", address)


class TwoAddresses(AbstractResolver):
    """A name with one good and one bad address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in ("8.8.8.8", "169.254.169.254")
        ]

    async def close(self) -> None:
        pass


async def test_one_bad_address_spoils_the_name() -> None:
    resolver = CheckedResolver(ALL, TwoAddresses())
    with pytest.raises(AddressRefused) as caught:
        await resolver.resolve("kube.example", 443)
    assert caught.value.address == "169.254.169.254"
    await resolver.close()


def test_sockets_of_ip_literals_are_checked_and_kept_alive() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))
    with pytest.raises(AddressRefused):
        socket_factory(NOTHING)(info)
    with socket_factory(ALL)(info) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
