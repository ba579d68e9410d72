"""The files of a folder to packages: definitions of Meshery's, CRDs and OpenAPI documents among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshery_common.documents import read_documents
from meshery_contracts.errors import Invalid
from meshery_registry.domain.entities import Package, PolicyEntity, Readings, Refusal
from meshery_registry.domain.packages.crds import crd_packages, is_crd
from meshery_registry.domain.packages.documents import entity_type
from meshery_registry.domain.packages.drafts import Definition, defined
from meshery_registry.domain.packages.fields import Document
from meshery_registry.domain.packages.limits import Origin
from meshery_registry.domain.packages.oldest import in_later_words
from meshery_registry.domain.packages.openapis import is_openapi, openapi_package

_REGO = ".rego"
#: Of documents that were left alone: charts and repositories have hundreds.
_PLACES_TOLD = 5


def packages_of(files: Mapping[str, bytes], origin: Origin) -> Readings:
    """Everything that the files define."""
    definitions: list[Definition] = []
    crds: list[tuple[str, Document]] = []
    openapis: list[tuple[str, Document]] = []
    refused: list[Refusal] = []
    others: list[str] = []
    for path in sorted(files):
        if path.endswith(_REGO):
            definitions.append(_rego(path, files[path]))
            continue
        try:
            found = list(documents_of(path, files[path]))
        except Invalid as error:
            refused.append(unreadable(path, error))
            continue
        for where, one in found:
            document = in_later_words(one) if isinstance(one, dict) else one
            if entity_type(document):
                definitions.append(Definition.read(path, where, document))
            elif is_crd(document):
                crds.append((where, document))
            elif is_openapi(document):
                openapis.append((where, document))
            else:
                others.append(where)
    if others:
        refused.append(_left_alone(others))
    return merged(
        [
            defined(definitions),
            crd_packages(crds, origin),
            *(openapi_package(document, where, origin) for where, document in openapis),
            Readings(refused=tuple(refused)),
        ]
    )


def documents_of(path: str, data: bytes) -> Iterator[tuple[str, Any]]:
    """The documents of one file and where each stands, with lists opened. Raises Invalid."""
    documents = read_documents(_text(data))
    for position, document in enumerate(documents, start=1):
        where = path if len(documents) == 1 else f"{path}, document {position}"
        if isinstance(document, list):
            yield from ((f"{where}, item {number}", one) for number, one in enumerate(document, start=1))
        elif isinstance(document, dict) and _is_kubernetes_list(document):
            for number, item in enumerate(document["items"], start=1):
                yield f"{where}, item {number}", _inheriting(item, document)
        else:
            yield where, document


def _text(data: bytes) -> str:
    if b"\0" in data:
        remedy = "Send JSON, YAML, or a zip, tar or tar.gz that is whole."
        raise Invalid("It is neither text nor an archive that is read.", remedy=remedy)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file is no text in UTF-8.", remedy="Save it as UTF-8.") from None


def merged(readings: Iterable[Readings]) -> Readings:
    """Several readings as one. Of a model that stands twice, the first is taken."""
    packages: dict[tuple[str, str, str], Package] = {}
    refused: list[Refusal] = []
    for reading in readings:
        refused += reading.refused
        for package in reading.packages:
            model = package.model
            key = (model.registrant_kind, model.name, model.version)
            if packages.setdefault(key, package) is not package:
                reason = f"Its version {model.version} stands twice."
                remedy = "Leave one of them out, or give it another version."
                refused.append(Refusal("model", model.name, reason, "", remedy))
    return Readings(tuple(packages.values()), tuple(refused))


def unreadable(path: str, error: Invalid) -> Refusal:
    """What is said of a file that is no text, YAML or JSON."""
    remedy = error.problem.remediation[0] if error.problem.remediation else "Mend it, or leave it out."
    return Refusal("file", path, error.problem.title, path, remedy)


def _left_alone(places: Sequence[str]) -> Refusal:
    count = len(places)
    what = "1 document is no definition" if count == 1 else f"{count:,} documents are no definitions"
    return Refusal(
        "file",
        f"{count:,} other documents" if count > 1 else "1 other document",
        f"{what} of Meshery's, no CRD and no OpenAPI: left alone.",
        "; ".join((*places[:_PLACES_TOLD], *(["…"] if count > _PLACES_TOLD else []))),
    )


def _rego(path: str, data: bytes) -> Definition:
    name = path.rpartition("/")[2].removesuffix(_REGO)
    entity: PolicyEntity | Refusal
    try:
        entity = PolicyEntity(name, "rego", _text(data))
    except Invalid as error:
        entity = replace(unreadable(path, error), entity_type="policy", name=name)
    return Definition(path, path, {"name": name}, entity)


def _is_kubernetes_list(document: Mapping[str, Any]) -> bool:
    return str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)


def _inheriting(item: Any, listed_in: Mapping[str, Any]) -> Any:
    """An item of a typed list, which may leave out what the list says."""
    kind = str(listed_in["kind"]).removesuffix("List")
    if not isinstance(item, dict) or not kind:
        return item
    return {"apiVersion": listed_in.get("apiVersion"), "kind": kind, **item}
