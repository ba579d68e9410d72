"""What a server says about itself at /version."""

import re
from dataclasses import dataclass

import orjson

from meshery_kube.errors import ProtocolError
from meshery_kube.transports import Call, Transport


@dataclass(frozen=True, slots=True)
class Version:
    """`major` and `minor` as numbers ("31+" of some clouds is 31); the rest as it is sent."""

    major: int
    minor: int
    git_version: str
    platform: str = ""

    def at_least(self, major: int, minor: int) -> bool:
        """True for this version and all later ones."""
        return (self.major, self.minor) >= (major, minor)


async def read_version(transport: Transport, timeout: float | None = None) -> Version:
    """GET /version. Raises KubeError's subclasses; ProtocolError if it is no Kubernetes."""
    reply = await transport.request(Call("GET", "/version", repeatable=True), timeout)
    wrong = f"{transport.context.server.url} answers, but not as a Kubernetes API server"
    try:
        document = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(wrong) from error
    if not isinstance(document, dict):
        raise ProtocolError(wrong)
    major, minor = (re.match(r"\d{1,6}", str(document.get(name) or "")) for name in ("major", "minor"))
    if major is None or minor is None:
        raise ProtocolError(wrong)
    return Version(
        major=int(major.group()),
        minor=int(minor.group()),
        git_version=str(document.get("gitVersion") or ""),
        platform=str(document.get("platform") or ""),
    )
