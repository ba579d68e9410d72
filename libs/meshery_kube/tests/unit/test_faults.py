"""Each error of the libraries becomes one of ours, and is kept as its cause."""

import errno
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from meshery_kube import Client, Context, errors
from meshery_kube.errors import Fault
from meshery_kube.faults import translated
from meshery_kube.kubeconfigs import Server, User

KEY = ConnectionKey("kube.example", 443, True, True, None, None, None)


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "x")
    error.reason = reason
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "fault"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(1, "x")), Fault.DNS),
        (aiohttp.ClientProxyConnectionError(KEY, OSError(1, "x")), Fault.PROXY),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(1, "x")), Fault.REFUSED),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.EHOSTUNREACH, "x")), Fault.NO_ROUTE),
        (aiohttp.ClientConnectorError(KEY, ConnectionResetError(1, "x")), Fault.RESET),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "x")), Fault.OTHER),
        (aiohttp.ClientConnectorSSLError(KEY, alert("WRONG_VERSION_NUMBER")), Fault.TLS_OTHER),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), Fault.TLS_CLIENT_CERTIFICATE),
        (alert("SSLV3_ALERT_BAD_CERTIFICATE"), Fault.TLS_CLIENT_CERTIFICATE),
        (
            caused(aiohttp.ClientOSError(1, "x"), alert("TLSV13_ALERT_CERTIFICATE_REQUIRED")),
            Fault.TLS_CLIENT_CERTIFICATE,
        ),
        (aiohttp.ClientOSError(1, "x"), Fault.RESET),
        (aiohttp.ServerDisconnectedError(), Fault.RESET),
        (aiohttp.ClientPayloadError(), Fault.RESET),
        (BrokenPipeError(), Fault.RESET),
    ],
)
def test_no_conversation(raised: Exception, fault: Fault) -> None:
    with pytest.raises(errors.Unreachable) as caught, translated("https://kube", "GET /x"):
        raise raised
    assert caught.value.fault is fault
    assert caught.value.__cause__ is raised
    assert caught.value.is_tls == fault.value.startswith("tls")


def test_time_and_protocol() -> None:
    with pytest.raises(errors.Timeout), translated("https://kube", "GET /x"):
        raise aiohttp.ConnectionTimeoutError
    with pytest.raises(errors.ProtocolError), translated("https://kube", "GET /x"):
        raise aiohttp.InvalidURL("x")


async def test_a_proxy_of_the_machines_own_kubeconfig_is_used(serve: Any) -> None:
    seen: list[str] = []

    async def proxy(request: web.Request) -> web.StreamResponse:
        seen.append(str(request.url))
        return web.json_response({"major": "1", "minor": "36"})

    address = (await serve(proxy)).transport.context.server.url
    context = Context("t", Server("t", "http://kube.invalid:8080", proxy_url=address), User("u"))
    async with Client(context) as kube:
        assert (await kube.version()).minor == 36
    assert seen == ["http://kube.invalid:8080/version"]
