"""Text to documents and back: YAML with several documents, or JSON. Hostile input is refused with a place to look at.

Pure, so that rules of a domain may use it. What must not be in here: anything that knows what the documents mean.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import yaml

from meshery_contracts.errors import FieldProblem, Invalid

#: The most values (mappings, lists, scalars) of one file; stops YAML aliases that blow up when written out.
MAX_VALUES = 1_000_000
#: The deepest nesting that is read.
MAX_DEPTH = 100

_SPACED_COLON = re.compile(r'"\s+:')
_MERGE = "tag:yaml.org,2002:merge"
_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _KubernetesLoader(_SafeLoader):  # type: ignore[misc]  # the C loader has no types
    """YAML as Kubernetes reads it: dates, `=` and `22:22` stay the texts they are."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- filled below, as PyYAML wants it
    _merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put in what `<<` names, as PyYAML does, but not more of it than a file may hold."""
        if all(key.tag != _MERGE for key, _ in node.value):
            return
        pairs, node.value = node.value, []
        merged: dict[Any, Any] = {}
        own = []
        for key, value in pairs:
            if key.tag != _MERGE:
                own.append((key, value))
                continue
            # Of several mappings the first wins, so it comes last.
            for part in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(part, yaml.MappingNode):
                    problem = "`<<` takes a mapping, or a list of mappings"
                    raise yaml.constructor.ConstructorError(None, None, problem, part.start_mark)
                self.flatten_mapping(part)
                self._merged += len(part.value)
                if self._merged > MAX_VALUES:
                    raise _too_large("The file")
                merged |= self._pairs_by_key(part)
        node.value = own
        node.value = list((merged | self._pairs_by_key(node)).values())

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping. Raises Invalid when a key stands twice: YAML forbids it, PyYAML takes the last."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            self._pairs_by_key(node)
        return mapping

    def _pairs_by_key(self, node: yaml.MappingNode) -> dict[Any, Any]:
        pairs: dict[Any, Any] = {}
        for key, value in node.value:
            name = self.construct_object(key, deep=True)
            if name in pairs:
                first, mark = pairs[name][0].start_mark, key.start_mark
                lines = f"in line {first.line + 1} and in line {mark.line + 1}"
                raise _key_twice(name, lines, f"line {mark.line + 1}, column {mark.column + 1}")
            pairs[name] = key, value
        return pairs


for _tag, _pattern, _first in (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("int", r"[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _KubernetesLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


_SafeDumper: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _KubernetesDumper(_SafeDumper):  # type: ignore[misc]  # the C dumper has no types
    """YAML that Kubernetes reads back as it was: texts are in quotes where it takes them for something else."""


for _tag, _pattern, _first in (
    ("bool", r"y|Y|n|N", "yYnN"),
    ("int", r"[-+]?_*0_*[oObBxX][0-9a-fA-F_]+", "-+0"),
    # Go's reader drops all underscores first; 08, which is no octal number, is 8 to it.
    ("float", r"(?=.*[0-9])[-+]?[0-9_]*(?:\.[0-9_]*)?(?:[eE](?:_*[-+])?[0-9_]+)?", "-+0123456789."),
):
    _KubernetesDumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


def write_documents(documents: Iterable[Any]) -> str:
    """Documents as YAML, one after the other, keys in the order that they have."""
    text: str = yaml.dump_all(documents, Dumper=_KubernetesDumper, sort_keys=False, allow_unicode=True)
    return text


def json_as_yaml(content: bytes) -> str:
    """A JSON document as YAML, which takes long: see `write_documents`."""
    return write_documents([orjson.loads(content)])


def read_documents(text: str) -> list[Any]:
    """The documents of a text, empty ones left out. Raises Invalid with line and column, or in JSON with the path."""
    text = text.lstrip("\ufeff")
    start = text.lstrip()[:1]
    if not start:
        raise _empty()
    from_json = _read_json(text) if start in "{[" else None
    documents = _read_yaml(text) if from_json is None else from_json
    keys = sum(
        _checked(document, f"Document {position}") for position, document in enumerate(documents, start=1)
    )
    if from_json is not None and (text.count('":') != keys or _SPACED_COLON.search(text)):
        _check_repeats(text)
    found = [document for document in documents if document is not None]
    if not found:
        raise _empty()
    return found


def _empty() -> Invalid:
    return Invalid(
        "The file is empty.", code="document_empty", remedy="Send a file with at least one document."
    )


def _read_json(text: str) -> list[Any] | None:
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return None  # YAML may begin with a bracket as well


def _check_repeats(text: str) -> None:
    """Raise Invalid when an object of a JSON text has a key twice: of two values the parser keeps the last.

    Takes longer than reading it did: not needed where a text has as many `":` as keys were read.
    """
    repeating: list[tuple[dict[str, Any], list[tuple[str, Any]]]] = []

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeating.append((found, pairs))
        return found

    try:
        document = json.loads(text, object_pairs_hook=read)
    except RecursionError:
        # What was read first was not this deep: the deep value was lost to one behind the same key.
        raise _too_deep("The file") from None
    if repeating:
        # The last one to be complete stands in none that repeats a key, too, which could have lost it.
        holder, pairs = repeating[-1]
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        path = next(path for path, one in _walk("", document) if one is holder) + key
        raise _key_twice(key, f"at {path}", path)


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value and all values in it, each behind its path."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _walk(f"{path}{key}.", one)


def _read_yaml(text: str) -> list[Any]:
    try:
        _check_depth(text)
        return list(yaml.load_all(text, Loader=_KubernetesLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        problem = str(error.problem or error.context)
        raise Invalid(
            f"The file is no valid YAML or JSON: {where}: {problem}.",
            code="document_unreadable",
            fields=(FieldProblem(path=where, message=problem),),
            remedy="Mend the file at that place and send it again.",
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, LookupError) as error:
        raise Invalid(
            "The file is no valid YAML or JSON.",
            code="document_unreadable",
            detail=str(error)[:300],
            remedy="Check the file with a YAML or JSON tool.",
        ) from None


def _check_depth(text: str) -> None:
    """Raise Invalid before the C loader, which is recursive, would take the process down."""
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep("The file")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def check_values(value: Any, what: str) -> None:
    """Raise Invalid unless a value can be written as JSON and stored: its size, depth, keys and scalars.

    `what` begins the sentence that says so.
    """
    _checked(value, what)


def _checked(value: Any, what: str) -> int:
    """The same, and how many keys it has in all."""
    count = keys = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                for key in one:
                    _check_key(key, what)
                keys += len(one)
                inner: Any = one.values()
            elif isinstance(one, list):
                inner = one
            else:
                _check_scalar(one, what)
                continue
            count += len(inner)
            if count > MAX_VALUES:
                raise _too_large(what)
            following.extend(inner)
        if not following:
            return keys
        level = following
    raise _too_deep(what)


def _too_large(what: str) -> Invalid:
    return Invalid(
        f"{what} holds more than {MAX_VALUES:,} values.",
        code="document_too_large",
        cause="The file is very large, or repeats itself by YAML aliases.",
        remedy="Split it into several files.",
    )


def _key_twice(key: Any, where: str, path: str) -> Invalid:
    return Invalid(
        f"The file has the key {key!r} twice: {where}.",
        code="document_key_twice",
        fields=(FieldProblem(path=path, message="this key stands here for the second time"),),
        cause="Only one of the two values would be read, and the other one lost.",
        remedy="Leave one of the two out, or give it another name.",
    )


def _too_deep(what: str) -> Invalid:
    return Invalid(f"{what} is nested more than {MAX_DEPTH} levels deep.", code="document_too_deep")


def _check_key(key: Any, what: str) -> None:
    if not isinstance(key, str):
        raise Invalid(
            f"{what} has the key {key!r}, which is no text.",
            code="document_key",
            remedy="Put the key in quotes.",
        )
    _check_scalar(key, what)


def _check_scalar(value: Any, what: str) -> None:
    if isinstance(value, str):
        wrong = "a text with a NUL character" if "\0" in value else ""
    elif value is None or isinstance(value, bool):
        wrong = ""
    elif isinstance(value, int):
        wrong = "" if -(2**63) <= value < 2**64 else "a whole number of more than 64 bits"
    elif isinstance(value, float):
        wrong = "" if math.isfinite(value) else "a number that is not finite"
    else:
        wrong = f"a value of the type {type(value).__name__}"
    if wrong:
        raise Invalid(
            f"{what} holds {wrong}, which JSON and Kubernetes have no place for.",
            code="document_value",
            remedy="Put the value in quotes, or leave it out.",
        )
