"""Everything that can go wrong between us and a cluster, as one hierarchy of exceptions.

    KubeError
    ├── KubeconfigError          KubeconfigMalformed · KubeconfigTooLarge · ContextNotFound
    │                            FieldRefused · ContextNotPortable
    ├── CredentialError          the exec plug-in or token file gave no credential
    ├── NameRefused              a name that cannot stand in a path
    ├── ManifestRefused          a manifest that cannot be written as JSON
    ├── AddressRefused           the server's address is not allowed by the address policy
    ├── Unreachable              no conversation: DNS, refused, reset, TLS
    ├── Timeout                  no answer within the time we gave (or 504 from the server)
    ├── ProtocolError            an answer that no API server gives (not JSON, too large, …)
    └── ApiError                 the server refused; carries its Status
        BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 (KindNotFound)
        MethodNotAllowed 405 · NotAcceptable 406 · Conflict 409 (AlreadyExists) · Expired 410
        TooLarge 413 · UnsupportedMediaType 415 · Invalid 422 · TooManyRequests 429
        ServerFault 5xx · Unavailable 503

The text of an error never holds a credential: request bodies, headers and kubeconfig values are
not put into messages, and the transport blanks its own token in what the server says.
"""

from dataclasses import replace
from enum import StrEnum

from meshery_kube.statuses import Cause, FieldConflict, Status, schema_causes


class KubeError(Exception):
    """Root of the hierarchy: catch this to catch everything this library raises on purpose."""


# ---------------------------------------------------------------- kubeconfig


class KubeconfigError(KubeError):
    """A kubeconfig cannot be used as it is."""


class KubeconfigMalformed(KubeconfigError):
    """The text is no kubeconfig: bad YAML, wrong shape, undecodable data."""


class KubeconfigTooLarge(KubeconfigError):
    """The text is longer than the policy permits."""


class ContextNotFound(KubeconfigError):
    """No context of that name, or none selected; `available` lists those there are."""

    def __init__(self, name: str | None, available: tuple[str, ...]) -> None:
        wanted = f"no context {name!r}" if name else "no current context"
        super().__init__(f"{wanted} in this kubeconfig; it has: {', '.join(available) or 'none'}")
        self.name = name
        self.available = available


class FieldRefused(KubeconfigError):
    """A field that the policy does not let in; says where it stands and how to do without it."""

    def __init__(
        self, *, context: str, cluster: str, user: str, field: str, reason: str, remedy: str
    ) -> None:
        super().__init__(
            f"context {context!r} (cluster {cluster!r}, user {user!r}): "
            f"{field} is not accepted: {reason}. {remedy}"
        )
        self.context = context
        self.cluster = cluster
        self.user = user
        self.field = field
        self.reason = reason
        self.remedy = remedy


class ContextNotPortable(KubeconfigError):
    """The context depends on this machine (exec plug-in, token file) and cannot be written out."""


class CredentialError(KubeError):
    """No credential could be had: the exec plug-in failed or the token file is unreadable."""


# ---------------------------------------------------------------- the way to the server


class NameRefused(KubeError, ValueError):
    """A name that no object can have, or a namespaced object without its namespace."""


class ManifestRefused(KubeError, ValueError):
    """A manifest that cannot be sent: keys that are no text, numbers beyond 64 bits, wrong shape."""


class AddressRefused(KubeError):
    """The server resolves to an address that the address policy forbids."""

    def __init__(self, host: str, address: str, reason: str) -> None:
        super().__init__(f"{host} is at {address}, which is not allowed: {reason}")
        self.host = host
        self.address = address
        self.reason = reason


class Fault(StrEnum):
    """Why no conversation came about."""

    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    NO_ROUTE = "no_route"
    PROXY = "proxy"
    TLS_UNKNOWN_AUTHORITY = "tls_unknown_authority"
    TLS_HOST_MISMATCH = "tls_host_mismatch"
    TLS_EXPIRED = "tls_expired"
    TLS_CLIENT_CERTIFICATE = "tls_client_certificate"
    TLS_OTHER = "tls_other"
    OTHER = "other"


class Unreachable(KubeError):
    """No conversation with the server. The library's own error is the `__cause__`."""

    def __init__(self, server: str, fault: Fault, detail: str) -> None:
        super().__init__(f"cannot reach {server} ({fault.value}): {detail}")
        self.server = server
        self.fault = fault

    @property
    def is_tls(self) -> bool:
        """True when the address answers but TLS does not come about."""
        return self.fault.value.startswith("tls_")


class Timeout(KubeError):
    """The time given for a request ran out, or the server itself gave up (504)."""


class ProtocolError(KubeError):
    """The answer is nothing an API server would send: wrong shape, too large, a redirect."""


# ---------------------------------------------------------------- the server's refusals


class ApiError(KubeError):
    """The server answered, and refused. `request` is method and path, for messages."""

    def __init__(self, status: Status, request: str) -> None:
        said = status.message or status.reason or "no message"
        super().__init__(f"{request}: {status.code} {status.reason}: {said}")
        self.status = status
        self.request = request

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The single reasons with their field paths, where the server gave any."""
        return self.status.causes


class BadRequest(ApiError):
    """400: the server does not understand the request."""


class Unauthorized(ApiError):
    """401: the credential is missing, wrong or no longer valid."""


class Forbidden(ApiError):
    """403: the credential is good but lacks the right."""


class NotFound(ApiError):
    """404: no such object."""


class KindNotFound(NotFound):
    """404: the server does not serve this kind (CRD removed, version gone)."""


class MethodNotAllowed(ApiError):
    """405: the kind exists but does not support the verb."""


class NotAcceptable(ApiError):
    """406: the server cannot answer in the form asked for (for example metadata only)."""


class Conflict(ApiError):
    """409: somebody else changed the object, or owns fields of it."""

    @property
    def field_conflicts(self) -> tuple[FieldConflict, ...]:
        """Fields owned by other managers (server-side apply); empty for other conflicts."""
        return self.status.field_conflicts


class AlreadyExists(Conflict):
    """409 on create: an object of that name is there."""


class Expired(ApiError):
    """410: the resource version or continue token is older than the server's history."""

    @property
    def continue_token(self) -> str:
        """A token to go on listing, inconsistently, from where the list broke off; or ""."""
        return self.status.continue_token


class TooLarge(ApiError):
    """413: the object is larger than the server takes."""


class UnsupportedMediaType(ApiError):
    """415: the server does not take a body of this form."""


class Invalid(ApiError):
    """422: the object breaks a rule of its schema or of admission; see `causes`."""


class TooManyRequests(ApiError):
    """429: the server sheds load (priority and fairness)."""

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks us to wait, if it said so."""
        return self.status.retry_after


class ServerFault(ApiError):
    """5xx: the server, a webhook or an aggregated API behind it failed."""


class Unavailable(ServerFault):
    """503: the server, or the aggregated API behind it, is not serving now."""

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks us to wait, if it said so."""
        return self.status.retry_after


class ServerTimeout(ServerFault, Timeout):
    """504: the server gave up waiting (etcd, a webhook); the request may have taken effect."""


_BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    409: Conflict,
    410: Expired,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: Invalid,
    429: TooManyRequests,
    503: Unavailable,
    504: ServerTimeout,
}


def api_error(status: Status, request: str) -> ApiError:
    """Choose the class for a refusal. `request` is method and path, without the query."""
    if status.code == 409 and status.reason == "AlreadyExists":
        return AlreadyExists(status, request)
    if status.code == 404 and not status.name:
        # An object that is not there is named in the details; an unknown path is answered by
        # "404 page not found" or by a Status without a name.
        return KindNotFound(status, request)
    if status.code == 500 and (causes := schema_causes(status.message)):
        return Invalid(replace(status, causes=causes), request)
    fallback = ServerFault if status.code >= 500 else ApiError
    return _BY_CODE.get(status.code, fallback)(status, request)
