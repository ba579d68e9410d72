"""Reading what somebody else wrote: either spelling of a key, nothing taken for granted.

Real packages break their own schemas (null ids, `components: null`, empty names), so a value of the wrong type is
as good as none. Only what a definition cannot be without makes it unreadable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.alias_generators import to_snake

Document = Mapping[str, Any]

#: The longest name, kind or version.
MAX_NAME = 255
#: Names that nothing outside of one server knows, and times: newly made wherever a definition is registered.
OF_ONE_SERVER = frozenset(
    {
        *("id", "createdAt", "updatedAt", "deletedAt", "modelId", "registrantId", "connectionId", "userId"),
        *("created_at", "updated_at", "deleted_at", "model_id", "registrant_id", "connection_id", "user_id"),
        *("credentialId", "credential_id", "categoryId", "category_id"),
    }
)


class Unreadable(Exception):
    """A definition that cannot be taken: why, and how to mend it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def value(document: Document, key: str) -> Any:
    """What stands under a camelCase key or its snake_case spelling; None if nothing does."""
    found = document.get(key)
    return document.get(to_snake(key)) if found is None else found


def text(document: Document, key: str, default: str = "") -> str:
    """A text without blanks around it."""
    found = value(document, key)
    return found.strip() if isinstance(found, str) and found.strip() else default


def prose(document: Document, key: str) -> str:
    """A text as it was written, blanks and all."""
    found = value(document, key)
    return found if isinstance(found, str) else ""


def mapping(document: Document, key: str) -> dict[str, Any]:
    """A copy of a mapping, empty if there is none."""
    found = value(document, key)
    return dict(found) if isinstance(found, Mapping) else {}


def mappings(document: Document, key: str) -> tuple[dict[str, Any], ...]:
    """The mappings of a list; one that stands alone is a list of one."""
    found = value(document, key)
    if isinstance(found, Mapping):
        return (dict(found),)
    return tuple(dict(one) for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()


def switch(document: Document, key: str, default: bool) -> bool:
    """A boolean, also when it was written as text."""
    found = value(document, key)
    if isinstance(found, str):
        return found.strip().lower() == "true" if found.strip() else default
    return found if isinstance(found, bool) else default


def one_of(found: str, allowed: Iterable[str], default: str) -> str:
    """A word of a closed set in lower case, or the default."""
    word = found.lower()
    return word if word in allowed else default


def named(document: Document, key: str, where: str) -> str:
    """A name that must be there. Raises Unreadable."""
    found = text(document, key)
    if not found:
        raise Unreadable(f"`{where}` is missing.", f"Give it a `{where}`.")
    if len(found) > MAX_NAME or not found.isprintable():
        raise Unreadable(f"`{where}` is no name: {found[:40]!r}.", f"Take at most {MAX_NAME} letters for it.")
    return found


def without(document: Document, keys: Iterable[str]) -> dict[str, Any]:
    """The document without some keys, and without those that have no value."""
    dropped = frozenset(keys)
    return {key: one for key, one in document.items() if key not in dropped and one is not None}
