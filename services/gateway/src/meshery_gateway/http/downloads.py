"""Designs as files: the design itself, the objects that it brings, what it was imported from."""

from __future__ import annotations

import base64

from aiohttp import web

from meshery_common.documents import json_as_yaml
from meshery_common.processes import LONG
from meshery_contracts import designs as contract
from meshery_contracts.designs import DesignType, ExportDesign, GetDesign
from meshery_contracts.errors import Invalid, NotFound
from meshery_gateway.http.calls import Call
from meshery_gateway.http.routes import Route
from meshery_gateway.http.shapes import TEXT, Content

_TAG = "Designs"


async def download_design(call: Call) -> web.StreamResponse:
    """The design file as YAML, or with `export=Kubernetes Manifest` the objects that it brings."""
    for other in ("oci", "pkg"):
        if call.text(other).lower() not in ("", "false"):
            raise _no_format(f"with `{other}`")
    wanted = call.text("export")
    if wanted.lower() in ("", "false"):
        design = await call.ask(contract.GET, GetDesign(design_id=call.id()))
        # Longer than the file is YAML that is deep, and much slower to write than JSON is to read.
        text = await call.beside(json_as_yaml, design.pattern_file.encode(), from_bytes=LONG)
        return _attachment(text.encode(), design.name, "yml", "application/yaml")
    if wanted.lower() != DesignType.KUBERNETES_MANIFEST.lower():
        raise _no_format(f"as {wanted[:100]!r}")
    exported = await call.ask(contract.EXPORT, ExportDesign(design_id=call.id()))
    return _attachment(exported.manifest.encode(), exported.name, "yml", "application/yaml")


async def download_original(call: Call) -> web.StreamResponse:
    """What a design was imported from, byte by byte."""
    wanted = call.request.match_info["type"]
    design = await call.ask(contract.GET, GetDesign(design_id=call.id(), with_source=True))
    kind = design.type.string
    if wanted.lower() != kind.lower():
        raise NotFound(
            f"Design {design.name!r} is no {wanted[:100]!r}.",
            code="design_type_differs",
            remedy=f"Its type is {kind!r}.",
        )
    if design.source_content is None:
        raise NotFound(
            f"Design {design.name!r} was not imported: it has no original.",
            code="original_missing",
            remedy=f"Download the design itself: GET /api/pattern/download/{design.id}.",
        )
    content = base64.b64decode(design.source_content)
    if kind == DesignType.HELM_CHART:
        return _attachment(content, design.name, "tgz", "application/x-tar")
    return _attachment(content, design.name, "yml", "application/x-yaml")


def _no_format(how: str) -> Invalid:
    return Invalid(
        f"Designs cannot be downloaded {how} yet.",
        code="download_format",
        remedy=(
            "Leave it out: the answer is the design file.",
            f"`export={DesignType.KUBERNETES_MANIFEST}` gives the objects that it brings.",
        ),
    )


def _attachment(content: bytes, name: str, suffix: str, media_type: str) -> web.Response:
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "_" for one in name)
    return web.Response(
        body=content,
        content_type=media_type,
        headers={"Content-Disposition": f"attachment;filename={plain}.{suffix}"},
    )


ROUTES = (
    Route(
        "GET",
        "/api/pattern/download/{id}",
        download_design,
        contract.GET,
        "The file as YAML",
        _TAG,
        ("export",),
        answer=Content(TEXT, "application/yaml"),
    ),
    Route(
        "GET",
        "/api/pattern/download/{id}/{type}",
        download_original,
        contract.GET,
        "What it was imported from",
        _TAG,
        answer=Content(TEXT, "application/x-yaml"),
    ),
)
