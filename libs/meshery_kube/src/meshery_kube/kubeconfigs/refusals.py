"""Collecting what is wrong with one context, so that the others stay usable, and the remedies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from meshery_kube.errors import FieldRefused, KubeconfigMalformed

T = TypeVar("T")

FLATTEN = (
    "Make a self-contained file with `kubectl config view --raw --flatten --minify "
    "--context=NAME > plain.yaml` and use that"
)
PLAIN_CREDENTIAL = (
    "Make a plain credential: `kubectl create serviceaccount meshery -n kube-system`, grant it "
    "what it may do (`kubectl create clusterrolebinding meshery --clusterrole=cluster-admin "
    "--serviceaccount=kube-system:meshery`, or less), then `kubectl create token meshery "
    "-n kube-system --duration=8760h` and put the result into users[].user.token"
)
MAX_URL_CHARS = 2048


@dataclass(slots=True)
class Refusals:
    """What the policy holds against one context."""

    context: str
    cluster: str
    user: str
    found: list[FieldRefused] = field(default_factory=list)

    def add(self, field_name: str, reason: str, remedy: str) -> None:
        """Note one field that is not accepted."""
        self.found.append(
            FieldRefused(
                context=self.context,
                cluster=self.cluster,
                user=self.user,
                field=field_name,
                reason=reason,
                remedy=remedy,
            )
        )

    def reading(self, field_name: str, read: Callable[[], T]) -> T | None:
        """`read()`, or None with a note when the value is malformed or its file unreadable."""
        try:
            return read()
        except KubeconfigMalformed as error:
            self.add(field_name, str(error), "Correct the value")
        except OSError as error:
            self.add(
                field_name,
                f"its file cannot be read ({error.strerror or type(error).__name__})",
                "Correct the path or make the file readable",
            )
        return None

    def check_url(self, url: str | None, *, allow_http: bool) -> str:
        """The server's URL without a trailing slash; notes what is wrong with it."""
        name = "cluster.server"
        if url is None:
            self.add(name, "it is missing", "Name the API server's https URL")
            return ""
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError:
            parts, host = None, None
        if parts is None or not host or len(url) > MAX_URL_CHARS or not url.isascii():
            self.add(name, "it is no URL", "Use the form https://host:port")
        elif parts.scheme not in ("https", "http"):
            self.add(name, "its scheme is neither https nor http", "Use https://host:port")
        elif parts.scheme == "http" and not allow_http:
            self.add(
                name,
                "plain http would send the credential unprotected",
                "Use the https port of the API server",
            )
        elif parts.username is not None or parts.password is not None:
            self.add(name, "it holds a user name or password", "Put the credential under users")
        elif parts.query or parts.fragment or any(c.isspace() for c in url):
            self.add(name, "it has a query, a fragment or a space", "Use https://host:port")
        return url.rstrip("/")
