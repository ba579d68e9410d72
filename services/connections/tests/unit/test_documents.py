"""OpenAPI documents on their way to the registry."""

from __future__ import annotations

import base64
import gzip

from meshery_connections.domain.documents import PACKED_FROM_BYTES, fields_of
from meshery_contracts.registry import RegisterOpenAPI


def test_small_documents_go_as_text_and_large_ones_packed() -> None:
    assert fields_of(b"{}") == {"document": "{}"}
    large = b'{"a":"' + b"x" * PACKED_FROM_BYTES + b'"}'
    fields = fields_of(large)
    assert list(fields) == ["document_gzip"]
    assert gzip.decompress(base64.b64decode(fields["document_gzip"])) == large
    assert len(fields["document_gzip"]) < len(large) / 100


def test_they_are_fields_of_a_registration() -> None:
    assert fields_of(b"{}").keys() | {"document_gzip"} <= RegisterOpenAPI.model_fields.keys()
