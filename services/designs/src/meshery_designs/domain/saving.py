"""From a text to what is stored, whole: texts and bytes go in and come out, never documents.

So a process beside can do it for a large file without anybody having to take documents apart and together again for
the way there and back, which costs more than the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson

from meshery_common.documents import check_values, read_documents, write_documents
from meshery_contracts.designs import ComponentChanges, DesignType, ImportNote
from meshery_contracts.errors import Invalid
from meshery_contracts.registry import ResolvedKind
from meshery_designs.domain import design_files, manifests
from meshery_designs.domain.design_files import StoredFile
from meshery_designs.domain.items import items_in

NewId = Callable[[], UUID]
#: apiVersion and kind.
Kind = tuple[str, str]


def saved(text: str, design_id: UUID, name: str, version: int, new_id: NewId) -> StoredFile:
    """A design file, or an empty design. `name` wins over the file's own. Raises Invalid, TooLarge."""
    return design_files.checked(
        _document(text) if text else {}, design_id=design_id, name=name, version=version, new_id=new_id
    )


def edited(
    current: str,
    current_name: str,
    text: str | None,
    changes: ComponentChanges | None,
    design_id: UUID,
    name: str,
    version: int,
    new_id: NewId,
) -> StoredFile:
    """The next version of a file: another text, itself with changes, or itself as it is. Raises Invalid, TooLarge."""
    document: Any = _document(text) if text is not None else orjson.loads(current)
    if text is not None and isinstance(document, dict):
        document = {**document, "name": document.get("name") or current_name}
    elif text is None and changes is not None:
        check_values(changes.changed, "The change")
        document = design_files.changed(document, changes.changed, changes.removed)
    return design_files.checked(document, design_id=design_id, name=name, version=version, new_id=new_id)


def exported(file: str) -> tuple[str, int]:
    """A checked design file as a manifest, and how many objects it has. Raises Invalid when it contradicts itself."""
    items = items_in(file, None, 0)
    return write_documents(one.content for one in items), len(items)


def kinds_in(text: str) -> list[Kind] | None:
    """The kinds of the manifests in a text; none when it is a design file. Raises Invalid."""
    documents = _documents(text)
    if _is_design(documents):
        return None
    return sorted({one.kind for one in manifests.manifests_of(documents)})


def imported(
    text: str,
    known: Mapping[Kind, ResolvedKind],
    design_id: UUID,
    name: str,
    file_name: str,
    new_id: NewId,
) -> tuple[DesignType, StoredFile, list[ImportNote]]:
    """What a text is, the design that it is or stands for, and what a person should know about it.

    Without a name the design has its own, or else that of the file. Raises Invalid, TooLarge.
    """
    documents = _documents(text)
    _documents.cache_clear()
    kind, document, notes = DesignType.DESIGN, documents[0], list[ImportNote]()
    if not _is_design(documents):
        components, notes = manifests.components_of(manifests.manifests_of(documents), known, new_id)
        kind, document = DesignType.KUBERNETES_MANIFEST, {"components": components}
    name = name or ("" if document.get("name") else PurePath(file_name).stem)
    file = design_files.checked(document, design_id=design_id, name=name, version=1, new_id=new_id)
    return kind, file, notes


#: An import reads its text twice: once to ask the registry for the kinds.
_documents = lru_cache(maxsize=1)(read_documents)


def _is_design(documents: list[Any]) -> bool:
    return len(documents) == 1 and design_files.is_design_file(documents[0])


def _document(text: str) -> Any:
    documents = read_documents(text)
    if len(documents) != 1:
        raise Invalid(
            f"A design file is one document; this has {len(documents)}.",
            code="design_documents",
            remedy="Import the file instead if it holds Kubernetes manifests.",
        )
    return documents[0]
