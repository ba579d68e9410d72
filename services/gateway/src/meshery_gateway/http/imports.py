"""Bringing models into the registry and taking them out, in the shapes of Meshery's clients.

An import is a durable operation. Meshery's routes wait for it as long as its clients have patience and then tell what
is not finished, with the id under which our own routes tell the rest.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from meshery_contracts import imports as contract
from meshery_contracts.errors import Invalid, error_from
from meshery_contracts.imports import (
    MAX_CONTENT_CHARACTERS,
    ExportModel,
    Import,
    ImportDefinitions,
    ImportEntry,
    ImportId,
    ImportStatus,
    ListImportEntries,
    ListImports,
    Outcome,
    PackageFile,
    PackageFormat,
)
from meshery_gateway.http.calls import Call
from meshery_gateway.http.import_requests import exported_file, import_request
from meshery_gateway.http.import_summaries import GENERATED, SUMMARY, generated, summary
from meshery_gateway.http.reading import both_read, id_of, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route, both_prefixes
from meshery_gateway.http.shapes import (
    ANY_OBJECT,
    FILE,
    FLAG,
    TEXT,
    TEXT_IN_BASE64,
    Content,
    fields,
    many,
)

_TAG = "Registry"
_FINISHED = (ImportStatus.SUCCEEDED, ImportStatus.FAILED, ImportStatus.CANCELLED)
#: The largest file in base64, or one of 17 MB as an array of numbers.
MAX_BODY_BYTES = MAX_CONTENT_CHARACTERS + 64 * 1024
#: Packages that one request may have generated; each is fetched from elsewhere.
_MAX_PACKAGES = 10
_ENTRIES = 1000


# --- in -----------------------------------------------------------------------------------------------------


async def register(call: Call) -> web.StreamResponse:
    """Import models from a file, an address or sheets, and wait for it."""
    body = await call.body_bytes(MAX_BODY_BYTES)
    request = await call.beside(import_request, body)
    started = Import.model_validate_json(await call.ask_bytes(contract.IMPORT_DEFINITIONS, request))
    imported = await _settled(call, started)
    if imported.status is ImportStatus.FAILED and imported.problem is not None:
        raise error_from(imported.problem)
    return call.answer(summary(imported, await _entries(call, imported)))


async def generate(call: Call) -> web.StreamResponse:
    """Make models of packages that Artifact Hub lists, and wait for them."""
    wanted = (await call.body()).get("data")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= _MAX_PACKAGES:
        raise Invalid(f"`data` must be a list of 1 to {_MAX_PACKAGES} packages.", code="request_invalid")
    started: list[tuple[str, Import]] = []
    for place, one in enumerate(wanted):
        values = both_read(one, "data")
        name = values.get("name") or ""
        request = message_from(
            ImportDefinitions, {"artifact_hub": name, "dry_run": not values.get("register")}
        )
        started.append((name, await call.ask(contract.IMPORT_DEFINITIONS, request, step=place)))
    answer = []
    for name, imported in started:
        imported = await _settled(call, imported)
        answer.append(generated(name, imported, await _entries(call, imported)))
    return call.answer(answer)


async def _settled(call: Call, imported: Import) -> Import:
    return await call.finished(
        imported,
        when=lambda one: one.status in _FINISHED,
        again=lambda: call.ask(contract.GET_IMPORT, ImportId(import_id=imported.id)),
    )


async def _entries(call: Call, imported: Import) -> list[ImportEntry]:
    """The whole report so far."""
    request = ListImportEntries(import_id=imported.id, page_size=_ENTRIES)
    entries: list[ImportEntry] = []
    while True:
        page = await call.ask(contract.LIST_IMPORT_ENTRIES, request)
        entries += page.entries
        if not page.next_cursor or not page.entries:
            return entries
        request = request.model_copy(update={"cursor": page.next_cursor})


# --- operations of our own ----------------------------------------------------------------------------------


async def start_import(call: Call) -> web.StreamResponse:
    """Start an import and do not wait for it."""
    request = await call.body_bytes(MAX_BODY_BYTES) or b"{}"
    return await call.pass_on(contract.IMPORT_DEFINITIONS, request, status=201)


async def list_imports(call: Call) -> web.StreamResponse:
    """Imports of the organisation, newest first."""
    return await call.pass_on(contract.LIST_IMPORTS, message_from(ListImports, call.page(default_size=25)))


async def get_import(call: Call) -> web.StreamResponse:
    """An import and how far it is."""
    return await call.pass_on(contract.GET_IMPORT, ImportId(import_id=call.id()))


async def list_entries(call: Call) -> web.StreamResponse:
    """What became of each entity of an import."""
    outcome = call.text("outcome").lower()
    if outcome and outcome not in list(Outcome):
        raise Invalid(f"`outcome` is one of {', '.join(Outcome)}.", code="parameter_invalid")
    values = {
        **call.page(default_size=100),
        "import_id": call.id(),
        "outcome": outcome or None,
        "entity_type": call.text("entityType"),
    }
    return await call.pass_on(contract.LIST_IMPORT_ENTRIES, message_from(ListImportEntries, values))


async def cancel_import(call: Call) -> web.StreamResponse:
    """Stop an import; what it has registered stays."""
    return await call.pass_on(contract.CANCEL_IMPORT, ImportId(import_id=call.id()))


# --- out ----------------------------------------------------------------------------------------------------


async def export_model(call: Call) -> web.StreamResponse:
    """A model as a package file."""
    model_id = call.text("id")
    values: dict[str, Any] = {
        "model_id": id_of("id", model_id) if model_id else None,
        "name": call.text("name"),
        "version": call.text("version"),
        # Asked for unless the parameter says something else.
        "components": call.flag("components") or not call.text("components"),
        "relationships": call.flag("relationships") or not call.text("relationships"),
        "older": call.flag("older"),
    }
    for name, parameter, known in (
        ("format", "outputFormat", PackageFormat),
        ("file_type", "fileType", PackageFile),
    ):
        if text := call.text(parameter).lower():
            if text not in list(known):
                raise Invalid(f"`{parameter}` is one of {', '.join(known)}.", code="parameter_invalid")
            values[name] = text
    reply = await call.ask_bytes(contract.EXPORT_MODEL, message_from(ExportModel, values))
    exported, content = await call.beside(exported_file, reply)
    name = "".join(one if one.isalnum() or one in "-_." else "_" for one in exported.file_name)
    return web.Response(
        body=content,
        headers={
            "Content-Type": exported.media_type,
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )


_IMPORTS = "/api/registry/imports"
_EXPORT_QUERY = ("id", "name", "version", "outputFormat", "fileType", "components", "relationships", "older")
#: What is read of `importBody` depends on `uploadType`.
_REGISTER = Content(
    fields(
        "importBody",
        "uploadType",
        importBody=fields(
            fileName=TEXT,
            modelFile=TEXT_IN_BASE64,
            url=TEXT,
            model=ANY_OBJECT,
            modelCsv=TEXT,
            componentCsv=TEXT,
            relationshipCsv=TEXT,
        ),
        uploadType={"type": "string", "enum": ["file", "url", "urlImport", "csv"]},
        register=FLAG,
    )
)

ROUTES = (
    *(
        Route(
            "POST",
            path,
            register,
            contract.IMPORT_DEFINITIONS,
            "Import models",
            _TAG,
            max_body_bytes=MAX_BODY_BYTES,
            body=_REGISTER,
            answer=Content(SUMMARY),
        )
        for path in both_prefixes("/register")
    ),
    *(
        Route(
            "POST",
            path,
            generate,
            contract.IMPORT_DEFINITIONS,
            "Models of packages",
            _TAG,
            body=Content(fields("data", data=many(fields("name", name=TEXT, register=FLAG)))),
            answer=Content(many(GENERATED)),
        )
        for path in both_prefixes("/generate")
    ),
    *(
        Route(
            "GET",
            path,
            export_model,
            contract.EXPORT_MODEL,
            "Export a model",
            _TAG,
            _EXPORT_QUERY,
            answer=Content(FILE, "application/octet-stream"),
        )
        for path in both_prefixes("/export")
    ),
    Route(
        "POST",
        _IMPORTS,
        start_import,
        contract.IMPORT_DEFINITIONS,
        "Start an import",
        _TAG,
        max_body_bytes=MAX_BODY_BYTES,
        body=Content(ImportDefinitions),
        answer=Content(Import, status=201),
    ),
    Route("GET", _IMPORTS, list_imports, contract.LIST_IMPORTS, "Imports", _TAG, PAGE_QUERY),
    Route("GET", f"{_IMPORTS}/{{id}}", get_import, contract.GET_IMPORT, "An import", _TAG),
    Route(
        "GET",
        f"{_IMPORTS}/{{id}}/entries",
        list_entries,
        contract.LIST_IMPORT_ENTRIES,
        "What became of each entity",
        _TAG,
        (*PAGE_QUERY, "outcome", "entityType"),
    ),
    Route("POST", f"{_IMPORTS}/{{id}}/cancel", cancel_import, contract.CANCEL_IMPORT, "Stop it", _TAG),
)
