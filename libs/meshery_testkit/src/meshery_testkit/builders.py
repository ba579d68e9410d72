"""Things that many tests are about, made in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from meshery_contracts.designs import Design, NullString, Visibility


def a_component(kind: str = "ConfigMap", name: str = "settings", **fields: Any) -> dict[str, Any]:
    """A component of a design. `fields`: version, namespace, depends_on, labels, and the rest of the object."""
    version = fields.pop("version", "apps/v1" if kind == "Deployment" else "v1")
    metadata: dict[str, Any] = {"name": name}
    for field in ("namespace", "labels"):
        if field in fields:
            metadata[field] = fields.pop(field)
    depends_on = fields.pop("depends_on", None)
    return {
        "id": fields.pop("id", str(uuid4())),
        "displayName": name,
        "component": {"version": version, "kind": kind, "schema": ""},
        "metadata": {"dependsOn": depends_on} if depends_on else {},
        "configuration": {"metadata": metadata, **fields},
    }


def a_definition(kind: str = "Gadget", **fields: Any) -> dict[str, Any]:
    """A component that defines a kind of example.com, which has no namespaces. `fields` as of `a_component`."""
    given = {
        "version": "apiextensions.k8s.io/v1",
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": kind}},
        **fields,
    }
    return a_component("CustomResourceDefinition", f"{kind.lower()}s.example.com", **given)


def a_crd(group: str) -> dict[str, Any]:
    """The CRD of a kind Thing of this group, in version v1 and in namespaces, with an integer `size`."""
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"size": {"type": "integer"}}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def a_design_file(*components: dict[str, Any], name: str = "shop") -> str:
    """A design file with these components, as JSON text."""
    return orjson.dumps({"name": name, "components": list(components)}).decode()


def a_design(**fields: Any) -> Design:
    """A private design as its service answers one, with single fields changed."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    given = {
        "id": uuid4(),
        "name": "shop",
        "pattern_file": '{"name":"shop","components":[]}',
        "user_id": uuid4(),
        "organization_id": uuid4(),
        "visibility": Visibility.PRIVATE,
        "type": NullString(string="Design", valid=True),
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    return Design.model_validate({**given, **fields})
