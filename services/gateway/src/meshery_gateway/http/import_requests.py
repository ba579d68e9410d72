"""What Meshery's clients send to import models, in the words of the contract, and what an export holds.

Pure functions over bytes, because they hold files: what is large is read in a process beside.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from meshery_contracts.errors import Invalid, TooLarge
from meshery_contracts.imports import MAX_FILE_BYTES, ExportedModel, ImportDefinitions
from meshery_gateway.http.reading import both_read, json_object, message_from


def import_request(content: bytes) -> bytes:
    """The body of a registration as the request of an import, in JSON. Raises Invalid, TooLarge."""
    body = both_read(json_object(content))
    values = _source_of(body.get("upload_type"), both_read(body.get("import_body") or {}, "importBody"))
    values["dry_run"] = body.get("register") is False
    return message_from(ImportDefinitions, values).model_dump_json(exclude_unset=True).encode()


def exported_file(reply: bytes) -> tuple[ExportedModel, bytes]:
    """What was exported, without its content, and that."""
    exported = ExportedModel.model_validate_json(reply)
    return exported.model_copy(update={"content": ""}), base64.b64decode(exported.content)


def _source_of(upload_type: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Where the definitions come from, in the words of the contract. Raises Invalid."""
    match upload_type:
        case "file":
            return {"file": _file_of(body)}
        case "url" | "urlImport":
            source = {"url": body.get("url") or "", "model": _naming_of(body.get("model") or {})}
            return source | ({"credentials": body["credentials"]} if body.get("credentials") else {})
        case "csv":
            sheets = (
                ("models", "model_csv"),
                ("components", "component_csv"),
                ("relationships", "relationship_csv"),
            )
            return {"sheets": {name: _csv_of(key, body.get(key)) for name, key in sheets}}
    raise Invalid(
        "`uploadType` must be one of file, urlImport, url and csv.",
        code="upload_type_unknown",
        remedy='Send {"uploadType": "file", "importBody": {"fileName": …, "modelFile": <base64>}}.',
    )


def _naming_of(model: Any) -> dict[str, Any]:
    """What a client says of the model; columns of Meshery's spreadsheet are read, too."""
    values = both_read(model, "model")
    columns = {"name": values.get("model"), "display_name": values.get("model_display_name")}
    return {name: value for name, value in columns.items() if value} | values


def _file_of(body: dict[str, Any]) -> dict[str, str]:
    encoded, size = _encoded(body.get("model_file"))
    if size > MAX_FILE_BYTES:
        raise TooLarge(
            f"The file has {size:,} bytes, {MAX_FILE_BYTES:,} are taken.",
            code="import_too_large",
            remedy="Put it where the server can fetch it and import its address with `uploadType: urlImport`.",
        )
    return {"file_name": body.get("file_name") or "upload", "content": encoded}


def _encoded(value: Any) -> tuple[str, int]:
    """A file as Go's clients (base64) or browsers (an array of bytes) write it, in base64; and its size in bytes."""
    if value in ("", []):
        raise Invalid(
            "The file is empty.", code="model_file_empty", remedy="Send a file that has something in it."
        )
    try:
        if isinstance(value, str) and value:
            text = _plain(value)
            return text, len(base64.b64decode(text, validate=True))
        if isinstance(value, list) and value:
            return base64.b64encode(bytes(value)).decode(), len(value)
    except (binascii.Error, ValueError, TypeError):
        pass
    raise Invalid(
        "`importBody.modelFile` is neither base64 nor an array of bytes.",
        code="model_file_unreadable",
        remedy="Send the file's content, encoded as base64.",
    )


def _csv_of(name: str, value: Any) -> str:
    """A sheet as text, in base64 (which has no comma) or as a data URL. Raises Invalid."""
    if not value:
        return ""
    if isinstance(value, str):
        plain = _plain(value)
        if "," in plain:
            return plain
        try:
            return base64.b64decode(plain, validate=True).decode()
        except ValueError:
            pass
    raise Invalid(f"`importBody.{name}` is no CSV text.", code="sheet_unreadable")


def _plain(text: str) -> str:
    """The content of a data URL."""
    return text.partition(",")[2] if text.startswith("data:") else text.strip()
