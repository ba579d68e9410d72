"""Forms for what people can make, as `react-jsonschema-form` takes them: a JSON Schema, and how to lay it out.

A form is added with the service that takes what it makes.
"""

from __future__ import annotations

from typing import Any, Final

_FILE: Final = {"type": "string", "format": "data-url"}

_MODEL: Final = {
    "title": "Import models",
    "description": "Meshery's model packages, CRDs and Helm charts.",
    "type": "object",
    "required": ["uploadType"],
    "properties": {
        "uploadType": {
            "title": "From where",
            "type": "string",
            "oneOf": [
                {"const": "file", "title": "A file", "description": "Package, archive, CRDs or chart."},
                {
                    "const": "urlImport",
                    "title": "An address",
                    "description": "Of a file, a git repository, a chart or an OCI artifact.",
                },
                {"const": "csv", "title": "Sheets", "description": "Of the integrations spreadsheet."},
            ],
            "default": "file",
        },
        "register": {
            "title": "Register",
            "description": "When not, only what would change is told.",
            "type": "boolean",
            "default": True,
        },
    },
    "allOf": [
        {
            "if": {"properties": {"uploadType": {"const": "file"}}},
            "then": {
                "properties": {"modelFile": {**_FILE, "title": "File"}},
                "required": ["modelFile"],
            },
        },
        {
            "if": {"properties": {"uploadType": {"const": "urlImport"}}},
            "then": {
                "properties": {
                    "url": {
                        "title": "Address",
                        "description": "https://…, git+https://…, oci://…",
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 2048,
                    }
                },
                "required": ["url"],
            },
        },
        {
            "if": {"properties": {"uploadType": {"const": "csv"}}},
            "then": {
                "properties": {
                    "modelCsv": {**_FILE, "title": "Models"},
                    "componentCsv": {**_FILE, "title": "Components"},
                    "relationshipCsv": {**_FILE, "title": "Relationships"},
                },
                "required": ["modelCsv", "componentCsv"],
            },
        },
    ],
}

_DESIGN: Final = {
    "title": "Import a design",
    "description": "A design file or a Kubernetes manifest.",
    "type": "object",
    "required": ["name", "file"],
    "properties": {
        "name": {"title": "Name", "type": "string", "minLength": 1, "maxLength": 255},
        "file": {**_FILE, "title": "File"},
    },
}

#: By the name that the route has for them.
FORMS: Final[dict[str, Any]] = {
    "model": {
        "rjsfSchema": _MODEL,
        "uiSchema": {
            "uploadType": {"ui:widget": "radio"},
            "ui:order": ["uploadType", "*", "register"],
        },
    },
    "design": {
        "rjsfSchema": _DESIGN,
        "uiSchema": {"ui:order": ["name", "file"]},
    },
}
