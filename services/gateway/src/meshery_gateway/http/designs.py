"""Designs, which Meshery's paths call patterns: read, save, import."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from meshery_common.documents import read_documents
from meshery_contracts import designs as contract
from meshery_contracts.designs import (
    CloneDesign,
    CreateDesign,
    Design,
    DesignId,
    GetDesign,
    ImportDesign,
    ListDesigns,
    ListVersions,
    UpdateDesign,
    ValidateDesign,
)
from meshery_contracts.errors import Invalid, NotFound
from meshery_contracts.messages import Nothing
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import FLAG, TEXT, TEXT_IN_BASE64, UUID_TEXT, Content, fields, many

_TAG = "Designs"


async def list_designs(call: Call) -> web.StreamResponse:
    """A page of designs; files come along unless `populate` asks for something else."""
    request = message_from(
        ListDesigns,
        {
            **call.page(default_size=10),
            "visibility": call.texts("visibility"),
            "with_files": "populate" not in call.request.query or "pattern_file" in call.texts("populate"),
            "updated_after": call.text("updatedAfter") or None,
        },
    )
    return await pass_on_page(call, contract.LIST, request, "patterns")


async def get_design(call: Call) -> web.StreamResponse:
    """One design, in its newest version or in the one that `version` names."""
    version = call.text("version")
    request = message_from(GetDesign, {"design_id": call.id(), "version": version or None})
    return await call.pass_on(contract.GET, request)


async def save_design(call: Call) -> web.StreamResponse:
    """Save, or with `save: false` only read, a design; the answer is a list of one, as clients expect."""
    body = both_read(await call.body(call.limits.design_bytes))
    if body.get("url"):
        raise _no_url()
    if manifest := body.get("k8s_manifest") or body.get("K8sManifest"):
        return await _import(call, str(manifest), name="", file_name="", save=False)
    data = both_read(body.get("pattern_data") or {}, "pattern_data")
    file = text_of(data.get("pattern_file") or body.get("pattern_file") or "")
    name = str(body.get("name") or data.get("name") or "")
    design_id = data.get("id") or body.get("id")
    if not (design_id or file or name):
        raise Invalid(
            "The request holds no design.",
            code="design_missing",
            remedy="Send `patternData` with a `patternFile`, or a `name` for an empty design.",
        )
    if not body.get("save", True):
        return await _import(call, file, name=name, file_name="", save=False)
    if design_id:
        changes = {"design_id": design_id, "file": file or None, "name": name or None}
        changes["visibility"] = data.get("visibility") or None
        changes["base_version"] = data.get("base_version", body.get("base_version"))
        request = message_from(UpdateDesign, changes)
        return call.answer([await call.ask(contract.UPDATE, request)])
    creation = {"name": name, "file": file, "location": data.get("location") or {}}
    if data.get("visibility"):
        creation["visibility"] = data["visibility"]
    return call.answer([await call.ask(contract.CREATE, message_from(CreateDesign, creation))])


async def save_design_as(call: Call) -> web.StreamResponse:
    """The older way to import: the type in the path, the document in `pattern_data`."""
    body = both_read(await call.body(call.limits.design_bytes))
    if body.get("url"):
        raise _no_url()
    await _check_type(call, call.request.match_info["type"])
    data = both_read(body.get("pattern_data") or {}, "pattern_data")
    if data.get("id"):
        file = text_of(data.get("pattern_file") or "")
        request = message_from(
            UpdateDesign, {"design_id": data["id"], "file": file or None, "name": data.get("name") or None}
        )
        return call.answer([await call.ask(contract.UPDATE, request)])
    document = text_of(
        data.get("source_content") or data.get("pattern_file") or body.get("k8s_manifest") or ""
    )
    name = str(body.get("name") or data.get("name") or "")
    file_name = str(data.get("file_name") or "")
    return await _import(call, document, name=name, file_name=file_name, save=bool(body.get("save", True)))


async def import_design(call: Call) -> web.StreamResponse:
    """A document in base64 becomes a saved design."""
    body = both_read(await call.body(call.limits.design_bytes))
    if body.get("url"):
        raise _no_url()
    request = message_from(
        ImportDesign,
        {key: body[key] for key in ("name", "file_name", "file") if body.get(key) is not None},
    )
    imported = await call.ask(contract.IMPORT, request)
    return call.answer([_with_notes(imported)])


async def _check_type(call: Call, wanted: str) -> None:
    """Raise NotFound unless documents of this type can be imported; a path with a slip of the pen is none."""
    types = [one.design_type for one in (await call.ask(contract.TYPES, Nothing())).types]
    if wanted.lower() not in (one.lower() for one in types):
        raise NotFound(
            f"Documents of the type {wanted[:100]!r} cannot be imported.",
            code="design_type_unknown",
            remedy=f"Import one of: {', '.join(types)}.",
        )


async def _import(call: Call, document: str, *, name: str, file_name: str, save: bool) -> web.StreamResponse:
    file = base64.b64encode(document.encode()).decode()
    request = message_from(ImportDesign, {"name": name, "file_name": file_name, "file": file, "save": save})
    return call.answer([_with_notes(await call.ask(contract.IMPORT, request))])


def _with_notes(imported: contract.ImportedDesign) -> dict[str, Any]:
    """The design, with what the import has to say beside it."""
    return {**imported.design.model_dump(mode="json"), "notes": [one.model_dump() for one in imported.notes]}


async def clone_design(call: Call) -> web.StreamResponse:
    """A private copy under the name in the body; the answer is a list of one, as clients expect."""
    request = message_from(CloneDesign, {**both_read(await call.body()), "design_id": call.id()})
    return call.answer([await call.ask(contract.CLONE, request)])


async def list_types(call: Call) -> web.StreamResponse:
    """The document kinds that can be imported."""
    return call.answer((await call.ask(contract.TYPES, Nothing())).types)


async def delete_design(call: Call) -> web.StreamResponse:
    """Delete a design."""
    return await call.pass_on(contract.DELETE, DesignId(design_id=call.id()))


async def delete_designs(call: Call) -> web.StreamResponse:
    """Delete several designs; the answer lists those that are gone."""
    wanted = (await call.body()).get("patterns") or []
    if not isinstance(wanted, list):
        raise Invalid("`patterns` must be a list.", code="request_invalid")
    deleted: list[Design] = []
    for one in wanted:
        request = message_from(DesignId, {"design_id": one.get("id") if isinstance(one, dict) else one})
        deleted.append(await call.ask(contract.DELETE, request, step=request.design_id))
    return call.answer({"patterns": [{"id": str(one.id), "name": one.name} for one in deleted]})


async def list_versions(call: Call) -> web.StreamResponse:
    """The saved versions of a design."""
    request = message_from(ListVersions, {"design_id": call.id(), **call.page(default_size=25)})
    return await call.pass_on(contract.LIST_VERSIONS, request)


async def validate_design(call: Call) -> web.StreamResponse:
    """Check a design against the schemas of its components."""
    return await call.pass_on(contract.VALIDATE, ValidateDesign(design_id=call.id()))


def text_of(value: Any) -> str:
    """A file as text: older clients send base64, newer ones the text itself, some an object."""
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()
    text = str(value)
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return text


def same_file(one: str, other: str) -> bool:
    """Whether two texts are the same design, told by their components. Raises Invalid for what nobody can read."""
    told = _told_by(one)
    return told is not None and told == _told_by(other)


def _told_by(text: str) -> bytes | None:
    """What a design file is told by, as JSON: Python takes `true` for 1. None when it is no design file."""
    documents = read_documents(text)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        return None
    told = [documents[0].get(key) for key in ("name", "components", "relationships")]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def id_in(file: str) -> str:
    """The id that a design file carries; empty for none. Raises Invalid for what nobody can read."""
    documents = read_documents(file)
    value = documents[0].get("id") if len(documents) == 1 and isinstance(documents[0], dict) else None
    try:
        return str(UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _no_url() -> Invalid:
    return Invalid(
        "Designs cannot be imported from a URL yet.",
        code="import_url",
        remedy="Fetch the file and send its content in `file`.",
    )


#: The longest design as JSON in JSON, or in base64.
BIG_BODY_BYTES = 24 * 1024 * 1024
_SAVE = Content(
    fields(
        name=TEXT,
        save=FLAG,
        patternData=fields(
            id=UUID_TEXT,
            name=TEXT,
            patternFile=TEXT,
            sourceContent=TEXT_IN_BASE64,
            fileName=TEXT,
            visibility=contract.Visibility,
            baseVersion={"type": "integer"},
        ),
    )
)
_ONE_DESIGN = Content(many(Design))
ROUTES = (
    # First, because paths with a variable part are tried one after the other, and this one is asked for most.
    Route("GET", "/api/pattern/{id}", get_design, contract.GET, "A design", _TAG, ("version",)),
    Route(
        "GET",
        "/api/pattern",
        list_designs,
        contract.LIST,
        "Designs",
        _TAG,
        (*PAGE_QUERY, "visibility", "populate", "updatedAfter"),
    ),
    Route(
        "POST",
        "/api/pattern",
        save_design,
        contract.CREATE,
        "Save a design",
        _TAG,
        max_body_bytes=BIG_BODY_BYTES,
        or_by=(contract.UPDATE, contract.IMPORT),
        body=_SAVE,
        answer=_ONE_DESIGN,
    ),
    Route(
        "GET",
        "/api/pattern/types",
        list_types,
        contract.TYPES,
        "What can be imported",
        _TAG,
        answer=Content(many(contract.SupportedType)),
    ),
    Route(
        "POST",
        "/api/pattern/import",
        import_design,
        contract.IMPORT,
        "Import",
        _TAG,
        max_body_bytes=BIG_BODY_BYTES,
        body=Content(fields("file", name=TEXT, fileName=TEXT, file=TEXT_IN_BASE64)),
        answer=_ONE_DESIGN,
    ),
    Route(
        "POST",
        "/api/pattern/clone/{id}",
        clone_design,
        contract.CLONE,
        "Clone a design",
        _TAG,
        body=Content(fields(name=TEXT)),
        answer=_ONE_DESIGN,
    ),
    Route(
        "POST",
        "/api/patterns/delete",
        delete_designs,
        contract.DELETE,
        "Delete several",
        _TAG,
        body=Content(fields("patterns", patterns=many(fields("id", id=UUID_TEXT, name=TEXT)))),
        answer=Content(fields(patterns=many(fields(id=UUID_TEXT, name=TEXT)))),
    ),
    Route(
        "GET",
        "/api/pattern/{id}/versions",
        list_versions,
        contract.LIST_VERSIONS,
        "Versions",
        _TAG,
        PAGE_QUERY,
    ),
    Route("GET", "/api/pattern/{id}/validate", validate_design, contract.VALIDATE, "Validate", _TAG),
    Route("DELETE", "/api/pattern/{id}", delete_design, contract.DELETE, "Delete a design", _TAG),
    *(
        Route(
            method,
            "/api/pattern/{type}",
            save_design_as,
            contract.IMPORT,
            "Import a type",
            _TAG,
            max_body_bytes=BIG_BODY_BYTES,
            or_by=(contract.UPDATE,),
            body=_SAVE,
            answer=_ONE_DESIGN,
        )
        for method in ("POST", "PUT")
    ),
)
