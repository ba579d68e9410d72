"""The OpenAPI v3 documents of a cluster, one per group version, with hashes for caching."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from meshery_kube.errors import ProtocolError
from meshery_kube.pages import decode_object
from meshery_kube.transports import Call, Transport


@dataclass(frozen=True, slots=True)
class OpenAPIEntry:
    """`name` is a path such as `api/v1` or `apis/apps/v1`; `hash` changes with the document."""

    name: str
    hash: str
    path: str


class OpenAPI:
    """The index and the documents. All methods raise KubeError's subclasses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def index(self) -> tuple[OpenAPIEntry, ...]:
        """What there is, sorted by name. Raises KindNotFound on servers before 1.27."""
        reply = await self._transport.request(Call("GET", "/openapi/v3", repeatable=True))
        paths = decode_object(reply.body).get("paths")
        entries: list[OpenAPIEntry] = []
        for name, entry in paths.items() if isinstance(paths, dict) else ():
            url = entry.get("serverRelativeURL") if isinstance(entry, dict) else None
            if isinstance(url, str):
                parts = urlsplit(url)
                if parts.scheme or parts.netloc or not parts.path.startswith("/openapi/"):
                    raise ProtocolError(f"OpenAPI document {name[:100]!r} lies on another server")
                digest = parse_qs(parts.query).get("hash", [""])[0]
                entries.append(OpenAPIEntry(name, digest, parts.path))
        return tuple(sorted(entries, key=lambda entry: entry.name))

    async def document(self, entry: OpenAPIEntry, timeout: float = 60.0) -> bytes:
        """The document as JSON: some MiB for the built-in groups."""
        query = (("hash", entry.hash),) if entry.hash else ()
        call = Call("GET", entry.path, query, repeatable=True)
        return (await self._transport.request(call, timeout)).body
