"""Text to documents: YAML with several documents, or JSON. Hostile input is refused with a place to look at.

What must not be in here: anything that knows what the documents mean.
"""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from meshery_contracts.errors import FieldProblem, Invalid

#: The most values (mappings, lists, scalars) of one file; stops YAML aliases that blow up when written out.
MAX_VALUES = 1_000_000
#: The deepest nesting that is read.
MAX_DEPTH = 100

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_Loader):  # type: ignore[misc]  # the C loader has no types
    """YAML as Kubernetes reads it: a date stays the text it is."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def read_documents(text: str) -> list[Any]:
    """The documents of a text, empty ones left out. Raises Invalid with line and column."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if not stripped:
        raise Invalid(
            "The file is empty.", code="document_empty", remedy="Send a file with at least one document."
        )
    documents = _read_json(stripped) if stripped[0] in "{[" else None
    if documents is None:
        documents = _read_yaml(text)
    for position, document in enumerate(documents, start=1):
        _check_size(document, position)
    return [document for document in documents if document is not None]


def _read_json(text: str) -> list[Any] | None:
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return None  # YAML may begin with a bracket as well


def _read_yaml(text: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, Loader=_PlainLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise Invalid(
            f"The file is no valid YAML or JSON: {where}: {error.problem or error.context}.",
            code="document_unreadable",
            fields=(FieldProblem(path=where, message=str(error.problem or error.context)),),
            remedy="Mend the file at that place and send it again.",
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Invalid(
            "The file is no valid YAML or JSON.",
            code="document_unreadable",
            detail=str(error)[:300],
            remedy="Check the file with a YAML or JSON tool.",
        ) from None


def _check_size(document: Any, position: int) -> None:
    count = 0
    level = [document]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                for key in value:
                    if not isinstance(key, str):
                        raise Invalid(
                            f"Document {position} has the key {key!r}, which is no text.",
                            code="document_key",
                            remedy="Put the key in quotes.",
                        )
                following.extend(value.values())
            elif isinstance(value, list):
                following.extend(value)
        count += len(following)
        if count > MAX_VALUES:
            raise Invalid(
                f"Document {position} holds more than {MAX_VALUES:,} values.",
                code="document_too_large",
                cause="The file is very large, or repeats itself by YAML aliases.",
                remedy="Split it into several designs.",
            )
        if not following:
            return
        level = following
    raise Invalid(
        f"Document {position} is nested more than {MAX_DEPTH} levels deep.", code="document_too_deep"
    )
