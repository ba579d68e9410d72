"""An OpenAPI v3 document of one API group version, as an API server gives it, to a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshery_registry.domain import names
from meshery_registry.domain.entities import ComponentEntity, ModelEntity, Package, Readings, Refusal
from meshery_registry.domain.openapi import description_of, written_out
from meshery_registry.domain.packages.fields import Document, mapping, text
from meshery_registry.domain.packages.limits import Origin
from meshery_registry.domain.schemas import Inliner, SchemaRefused

_KIND_KEY: Final = "x-kubernetes-group-version-kind"
_IN_NAMESPACE: Final = "/namespaces/{namespace}/"
#: Groups of the API server itself; all others come from CRDs or from servers behind it.
_BUILT_IN: Final = frozenset(
    {
        *("", "apps", "autoscaling", "batch", "extensions", "policy"),
        *(
            f"{name}.k8s.io"
            for name in (
                *("admissionregistration", "apiextensions", "apiregistration", "authentication"),
                *("authorization", "certificates", "coordination", "discovery", "events"),
                *("flowcontrol.apiserver", "internal.apiserver", "lifecycle", "networking", "node"),
                *("rbac.authorization", "resource", "scheduling", "storage", "storagemigration"),
            )
        ),
    }
)


def is_openapi(document: Any) -> bool:
    """Whether a document is OpenAPI of version 3."""
    return isinstance(document, dict) and text(document, "openapi").startswith("3")


def openapi_package(document: Document, where: str, origin: Origin) -> Readings:
    """The kinds that the document has addresses for."""
    schemas = mapping(mapping(document, "components"), "schemas")
    served = dict(_served(mapping(document, "paths")))
    group_versions = {group_version for group_version, _ in served}
    if len(group_versions) != 1:
        reason = (
            f"It holds {len(group_versions)} API group versions of Kubernetes, one is wanted."
            if served
            else "It describes no API of Kubernetes."
        )
        remedy = "Send one document of the API server's /openapi/v3/apis/<group>/<version>."
        return Readings(refused=(Refusal("file", where, reason, where, remedy),))
    group_version = group_versions.pop()
    custom = group_version.rpartition("/")[0] not in _BUILT_IN
    inliner = Inliner(schemas)
    components: list[ComponentEntity] = []
    refused: list[Refusal] = []
    for (_, kind), namespaced in sorted(served.items()):
        try:
            schema = _schema_of(schemas, group_version, kind)
            components.append(_component(schema, inliner, group_version, kind, namespaced, custom))
        except SchemaRefused as error:
            reason = f"Its schema was not taken: {error}."
            refused.append(
                Refusal("component", kind, reason, where, "Send the document as the server gave it.")
            )
    if not components:
        return Readings(refused=tuple(refused))
    model = _model(document, group_version, origin, custom=custom)
    return Readings((Package(model, tuple(components), refused=tuple(refused)),))


def _served(paths: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], bool]]:
    """Kinds that have addresses of their own, and whether these lie in a namespace."""
    found: dict[tuple[str, str], bool] = {}
    for path, operations in paths.items():
        # What lies behind an object's own address (`/scale`, `/eviction`) may be of another kind.
        if not isinstance(operations, dict) or "/{name}/" in path:
            continue
        for operation in operations.values():
            told = operation.get(_KIND_KEY) if isinstance(operation, dict) else None
            if isinstance(told, dict) and told.get("kind") and told.get("version"):
                group = str(told.get("group") or "")
                group_version = f"{group}/{told['version']}" if group else str(told["version"])
                key = (group_version, str(told["kind"]))
                # A namespaced kind also has an address that lists it in all namespaces.
                found[key] = found.get(key, False) or _IN_NAMESPACE in f"{path}/"
    yield from found.items()


def _schema_of(schemas: Mapping[str, Any], group_version: str, kind: str) -> dict[str, Any]:
    group, _, version = group_version.rpartition("/")
    wanted = {"group": group, "version": version, "kind": kind}
    for schema in schemas.values():
        told = schema.get(_KIND_KEY) if isinstance(schema, dict) else None
        if isinstance(told, list) and wanted in told:
            return dict(schema)
    raise SchemaRefused("the document has none for it")


def _component(
    schema: dict[str, Any], inliner: Inliner, group_version: str, kind: str, namespaced: bool, custom: bool
) -> ComponentEntity:
    written, usable = written_out(schema, inliner)
    return ComponentEntity(
        kind=kind,
        api_version=group_version,
        display_name=names.display_name(kind),
        description=description_of(schema),
        schema=written.decode(),
        namespaced=namespaced,
        custom=custom,
        metadata={} if usable else {"hasInvalidSchema": True},
    )


def _model(document: Document, group_version: str, origin: Origin, *, custom: bool) -> ModelEntity:
    name = names.model_name(group_version, custom=custom)
    told = text(mapping(document, "info"), "version")
    version = origin.version or names.model_version(group_version, told or "v1.0.0", custom=custom)
    return ModelEntity(
        name=name,
        version=version,
        display_name=names.model_display_name(name),
        description=f"The kinds of the API group version {group_version}.",
        category="Uncategorized" if custom else "Orchestration & Management",
        sub_category="Uncategorized" if custom else "Kubernetes",
        registrant_kind=origin.registrant_kind or "meshery",
        registrant_name=origin.registrant_name,
        metadata={"source_uri": origin.source_uri} if origin.source_uri else {},
    )
