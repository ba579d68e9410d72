"""What an address means: a file on the web, a git repository, an OCI artifact. Nothing is fetched in here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit, urlunsplit

from meshery_contracts.errors import Invalid

_DOCKER_HUB = "registry-1.docker.io"
_OCI_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_OCI_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_OCI_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FORMS = (
    "Give https://… of a file or archive, https://github.com/<owner>/<name>/tree/<ref>/<path>, "
    "git+https://host/name.git//<path>?ref=<ref>, or oci://registry/name:<tag>."
)


@dataclass(frozen=True, slots=True)
class WebSource:
    """One file on a web server."""

    url: str


@dataclass(frozen=True, slots=True)
class GitSource:
    """A folder or file of a git repository that is served over HTTP.

    With `joined`, `path` begins with the ref, which may hold slashes: only the repository's own refs tell where it
    ends. An empty ref is the repository's default branch.
    """

    url: str
    ref: str = ""
    path: str = ""
    joined: bool = False


@dataclass(frozen=True, slots=True)
class OciSource:
    """An artifact in a registry. `reference` is a tag or a digest; an empty one is the tag `latest`."""

    registry: str
    repository: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class ChartSource:
    """A chart of a Helm repository over HTTP; an empty version is the newest."""

    repository: str
    name: str
    version: str = ""


Source = WebSource | GitSource | OciSource | ChartSource


def source_of(address: str, github_url: str) -> Source:
    """What an address names. `github_url` is where GitHub is. Raises Invalid with the forms there are."""
    parts = _split(address.strip())
    match parts.scheme:
        case "oci":
            return _oci(parts.netloc + parts.path)
        case "git+https" | "git+http":
            return _git(parts.scheme.removeprefix("git+"), parts.netloc, parts.path, parts.query)
        case "git":
            owner, name, rest = _repository_path(parts.path)
            if not name:
                raise _unclear("git://host/<owner>/<name>/<ref>/<path> names a repository by owner and name.")
            base = github_url if parts.netloc == "github.com" else f"https://{parts.netloc}"
            return GitSource(f"{base}/{owner}/{name}.git", path=rest, joined=True)
        case "http" | "https" if address.startswith(f"{github_url}/"):
            return _github(address.strip(), github_url)
        case "http" | "https":
            return WebSource(address.strip())
        case _:
            raise _unclear("It begins with none of https://, http://, git+https://, git:// and oci://.")


def chart_source(repository: str, name: str, version: str) -> ChartSource | OciSource:
    """A chart by the repository's address. Raises Invalid."""
    parts = _split(repository.strip())
    if parts.scheme == "oci":
        # Tags have no plus sign; Helm writes an underscore instead.
        return _oci(f"{parts.netloc}{parts.path.rstrip('/')}/{name}:{version.replace('+', '_')}".rstrip(":"))
    if parts.scheme not in ("http", "https"):
        raise _unclear("The address of a Helm repository begins with https://, http:// or oci://.")
    return ChartSource(repository.strip().rstrip("/"), name, version)


def shown(address: str) -> str:
    """An address as everybody may read it: no credentials, no query, no fragment."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return ""


def _git(scheme: str, host: str, path: str, query: str) -> GitSource:
    repository, _, folder = path.partition("//")
    if not host or not repository.strip("/"):
        raise _unclear("git+https://host/<name>.git//<path>?ref=<ref> names a host and a repository.")
    ref = parse_qs(query).get("ref", [""])[0]
    return GitSource(f"{scheme}://{host}{repository.rstrip('/')}", ref, unquote(folder).strip("/"))


def _github(address: str, github_url: str) -> Source:
    owner, name, rest = _repository_path(urlsplit(address).path[len(urlsplit(github_url).path) :])
    if not name:
        raise _unclear(f"{github_url}/<owner>/<name> names a repository by owner and name.")
    name = name.removesuffix(".git")
    repository = f"{github_url}/{owner}/{name}.git"
    what, _, rest = rest.partition("/")
    if not what:
        return GitSource(repository)
    if what == "tree" and rest:
        return GitSource(repository, path=rest, joined=True)
    if what == "blob" and rest:
        return WebSource(f"{github_url}/{owner}/{name}/raw/{quote(rest)}")
    return WebSource(address)


def _repository_path(path: str) -> tuple[str, str, str]:
    """Owner, name and the rest of a path."""
    owner, _, rest = unquote(path).strip("/").partition("/")
    name, _, rest = rest.partition("/")
    return owner, name, rest.strip("/")


def _oci(text: str) -> OciSource:
    registry, _, rest = text.partition("/")
    if registry == "docker.io":
        registry, rest = _DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    repository, at, reference = rest.partition("@")
    if not at:
        repository, _, reference = rest.partition(":")
    usable = _OCI_DIGEST if at else _OCI_TAG
    if not registry or "@" in registry or not _OCI_NAME.fullmatch(repository):
        raise _unclear("oci://registry/name:<tag> has a registry and a name in lower case.")
    if (at or reference) and not usable.fullmatch(reference):
        raise _unclear(
            "The tag or digest of the OCI artifact is none: write :<tag> or @sha256:<64 hex digits>."
        )
    return OciSource(registry, repository, reference)


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
    except ValueError:
        raise _unclear("It is no URL that can be understood.") from None
    if "@" in parts.netloc:
        # Before it is stored: addresses are kept and shown, credentials are sealed.
        raise Invalid(
            "The address holds a user name or a password.",
            code="source_unclear",
            remedy="Leave them out, and send them as `credentials`.",
        )
    return parts


def _unclear(why: str) -> Invalid:
    return Invalid("The address names nothing to import.", code="source_unclear", cause=why, remedy=_FORMS)
