"""The HTTP library's and the operating system's errors, as errors of ours."""

import errno
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from meshery_kube.errors import AddressRefused, Fault, ProtocolError, Timeout, Unreachable
from meshery_web import errors as web

_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
_VERIFY_FAULTS = {
    9: Fault.TLS_EXPIRED,  # not yet valid
    10: Fault.TLS_EXPIRED,
    18: Fault.TLS_UNKNOWN_AUTHORITY,  # self-signed
    19: Fault.TLS_UNKNOWN_AUTHORITY,  # self-signed in the chain
    20: Fault.TLS_UNKNOWN_AUTHORITY,  # issuer not found
    21: Fault.TLS_UNKNOWN_AUTHORITY,  # first certificate cannot be verified
    62: Fault.TLS_HOST_MISMATCH,
    64: Fault.TLS_HOST_MISMATCH,  # the same for an IP address
}
"""OpenSSL's X509_V_ERR_* numbers (include/openssl/x509_vfy.h)."""


@contextmanager
def translated(server: str, request: str) -> Iterator[None]:
    """Raise AddressRefused, Unreachable, Timeout or ProtocolError, with the library's error as cause."""
    try:
        yield
    except web.AddressRefused as error:
        raise AddressRefused(error.host, error.address, error.reason) from error
    except aiohttp.ServerTimeoutError as error:  # also a ConnectionError, so it comes first
        raise Timeout(f"{request}: {server} did not answer in time") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise Unreachable(server, Fault.DNS, "its name does not resolve") from error
    except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
        raise Unreachable(server, Fault.PROXY, "the proxy does not let us through") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise _tls(server, error.certificate_error) from error
    except aiohttp.ClientSSLError as error:
        raise _tls(server, error.os_error) from error
    except aiohttp.ClientConnectorError as error:
        raise _connect(server, error.os_error) from error
    except aiohttp.ClientOSError as error:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
            raise _tls(server, error.__cause__ or error.__context__) from error
        raise Unreachable(server, Fault.RESET, "the connection broke") from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
        raise Unreachable(server, Fault.RESET, "the connection broke off") from error
    except ssl.SSLError as error:
        raise _tls(server, error) from error
    except (aiohttp.ClientError, ValueError) as error:
        # ValueError: aiohttp's parser on header injection and the like.
        raise ProtocolError(f"{request}: {server} does not speak proper HTTP") from error
    except ConnectionError as error:
        raise Unreachable(server, Fault.RESET, "the connection broke") from error


def _connect(server: str, error: OSError) -> Unreachable:
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(server, Fault.REFUSED, "nothing listens there")
    if error.errno in _NO_ROUTE:
        return Unreachable(server, Fault.NO_ROUTE, "there is no route to it")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Unreachable(server, Fault.RESET, "it closes the connection at once")
    return Unreachable(server, Fault.OTHER, error.strerror or type(error).__name__)


def _tls(server: str, error: object) -> Unreachable:
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = _VERIFY_FAULTS.get(error.verify_code, Fault.TLS_OTHER)
        return Unreachable(server, fault, f"its certificate: {error.verify_message}")
    reason = getattr(error, "reason", None) or type(error).__name__
    if "CERTIFICATE" in reason and "ALERT" in reason:
        return Unreachable(server, Fault.TLS_CLIENT_CERTIFICATE, f"it does not accept ours ({reason})")
    return Unreachable(server, Fault.TLS_OTHER, f"no TLS there ({reason})")
