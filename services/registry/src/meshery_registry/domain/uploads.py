"""What comes along with an import, out of the request that brought it. Runs in a process beside when it is much."""

from __future__ import annotations

import base64
import binascii
import zlib

from pydantic import ValidationError

from meshery_contracts.errors import Invalid, TooLarge, not_valid
from meshery_contracts.imports import IMPORT_DEFINITIONS, ImportDefinitions, Sheets, UploadedFile

#: Name and content.
Files = list[tuple[str, bytes]]


def read(payload: bytes, max_bytes: int) -> tuple[ImportDefinitions, Files]:
    """The request without what was uploaded, and that, unpacked. Raises Invalid, TooLarge beyond `max_bytes`."""
    try:
        request = ImportDefinitions.model_validate_json(payload or b"{}")
    except ValidationError as error:
        raise not_valid(error, IMPORT_DEFINITIONS.verb) from None
    if (file := request.file) is not None:
        files = [(file.file_name, _content(file, max_bytes))]
        return request.model_copy(update={"file": UploadedFile(file_name=file.file_name)}), files
    if (sheets := request.sheets) is not None:
        files = [(name, getattr(sheets, name).encode()) for name in Sheets.model_fields]
        return request.model_copy(update={"sheets": Sheets()}), files
    return request, []


def _content(file: UploadedFile, max_bytes: int) -> bytes:
    if not file.content_gzip:
        return _decoded(file.content, "content")
    packed = _decoded(file.content_gzip, "contentGzip")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(packed, max_bytes)
    except zlib.error:
        raise _not_readable("`file.contentGzip` is not gzip in base64.") from None
    if unpacker.unconsumed_tail:
        raise TooLarge(
            f"The file has more than {max_bytes:,} bytes once unpacked.",
            code="source_too_large",
            remedy="Import a smaller part, or have REGISTRY_FETCH__MAX_BYTES raised.",
        )
    if not unpacker.eof:
        raise _not_readable("`file.contentGzip` is cut off.")
    return content


def _decoded(text: str, name: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _not_readable(f"`file.{name}` is not base64.") from None
    if not content:
        raise _not_readable("The file is empty.")
    return content


def _not_readable(what: str) -> Invalid:
    return Invalid(what, code="file_encoding", remedy="Encode the file's bytes in base64.")
