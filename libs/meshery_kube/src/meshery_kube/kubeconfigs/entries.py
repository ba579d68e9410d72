"""The raw entries of a kubeconfig (clusters, users, contexts by name) and typed reading of them."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from meshery_kube.errors import KubeconfigMalformed
from meshery_kube.kubeconfigs.documents import Node

Entry = Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Entries:
    """One file's content, or several merged. Nothing in here has been judged yet."""

    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]
    contexts: Mapping[str, Entry]
    current: str | None


def read_entries(document: Node) -> Entries:
    """Take a document apart. Raises KubeconfigMalformed when it is no kubeconfig."""
    if not isinstance(document, dict):
        raise KubeconfigMalformed("the file is no mapping with clusters, users and contexts")
    kind = document.get("kind")
    if kind not in (None, "Config"):
        raise KubeconfigMalformed(f"kind is {str(kind)[:60]!r}; a kubeconfig has kind Config")
    return Entries(
        clusters=_named(document, "clusters", "cluster"),
        users=_named(document, "users", "user"),
        contexts=_named(document, "contexts", "context"),
        current=text_of(document, "current-context", "the file"),
    )


def _named(document: Entry, plural: str, singular: str) -> dict[str, Entry]:
    listed = document.get(plural)
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise KubeconfigMalformed(f"{plural} is not a list")
    found: dict[str, Entry] = {}
    for position, item in enumerate(listed):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(name, str):
            raise KubeconfigMalformed(f"{plural}[{position}] has no name")
        body = item.get(singular)
        if body is None:
            body = {}
        if not isinstance(body, dict):
            raise KubeconfigMalformed(f"{singular} of {plural}[{position}] is not a mapping")
        if name in found:  # client-go refuses this, too: which of the two would be meant?
            raise KubeconfigMalformed(f"{plural} has two entries of the name {name[:100]!r}")
        found[name] = body
    return found


def text_of(entry: Entry, field: str, where: str) -> str | None:
    """The text in `field`; None when absent or empty. Raises KubeconfigMalformed."""
    value = entry.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise KubeconfigMalformed(f"{field} of {where} is not text")
    return value


def flag_of(entry: Entry, field: str, where: str, default: bool = False) -> bool:
    """The boolean in `field`. Raises KubeconfigMalformed for other words than true and false."""
    value = text_of(entry, field, where)
    if value is None:
        return default
    if value.lower() not in ("true", "false"):
        raise KubeconfigMalformed(f"{field} of {where} is neither true nor false")
    return value.lower() == "true"


def pem_of(entry: Entry, field: str, where: str, label: str) -> str | None:
    """The PEM text that stands base64-encoded in `field`, which must hold a `label` block.

    Raises KubeconfigMalformed.
    """
    encoded = text_of(entry, field, where)
    if encoded is None:
        return None
    try:
        raw = base64.b64decode("".join(encoded.split()), validate=True)
        return check_pem(raw.decode("ascii"), f"{field} of {where}", label)
    except (binascii.Error, UnicodeDecodeError):
        raise KubeconfigMalformed(f"{field} of {where} is not base64-encoded PEM") from None


def check_pem(pem: str, what: str, label: str) -> str:
    """`pem` itself. Raises KubeconfigMalformed unless it holds a block whose name ends so."""
    if f"{label}-----" not in pem or "-----BEGIN " not in pem:
        raise KubeconfigMalformed(f"{what} holds no {label} in PEM form")
    return pem if pem.endswith("\n") else pem + "\n"


def texts_of(entry: Entry, field: str, where: str) -> tuple[str, ...]:
    """The list of texts in `field`. Raises KubeconfigMalformed."""
    value = entry.get(field)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise KubeconfigMalformed(f"{field} of {where} is not a list")
    found: list[str] = []
    for item in value:
        if item is not None and not isinstance(item, str):
            raise KubeconfigMalformed(f"{field} of {where} holds something that is not text")
        found.append(item or "")
    return tuple(found)
