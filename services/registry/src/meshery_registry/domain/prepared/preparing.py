"""From packages as readers hand them over to rows as they are stored: ids, hashes, schemas deflated, icons cleaned.

All the computing of a registration is here, so that it can be done in the process beside the service. What is refused
becomes a `Refusal` and nothing else of the package suffers. What must not be in here: what is stored already.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from meshery_registry.domain import names
from meshery_registry.domain.contents import read_contents
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    Refusal,
    RelationshipEntity,
)
from meshery_registry.domain.icons import with_icons_apart
from meshery_registry.domain.openapi import StoredSchema, checked_schema, stored_schema
from meshery_registry.domain.prepared.rows import (
    PreparedComponent,
    PreparedConnection,
    PreparedModel,
    PreparedPackage,
    PreparedRelationship,
)
from meshery_registry.domain.schemas import SchemaRefused

#: Part of every hash: raise it when the same package would be stored differently, so that it is stored again.
PREPARER_VERSION = 2
_MAX_NAME: Final = 250
_MAX_TEXT: Final = 5_000
#: Of one entity without its schema.
_MAX_DOCUMENT_BYTES: Final = 2_000_000
_STATUSES: Final = ("enabled", "ignored", "duplicate")
_COMPONENT_STATUSES: Final = (*_STATUSES, "resolved", "open")
_RELATIONSHIP_STATUSES: Final = (*_STATUSES, "deleted", "approved", "pending")


def prepare_contents(folder: str) -> list[PreparedPackage | Refusal]:
    """All that ships with us, prepared for the nil organisation."""
    schemas: dict[str, StoredSchema] = {}
    return [
        prepared(package, UUID(int=0), trusted=True, known=schemas)
        for package in read_contents(Path(folder)).packages
    ]


def prepare(packages: Iterable[Package], organization_id: UUID) -> list[PreparedPackage | Refusal]:
    """Packages prepared for an organisation; a refusal in place of one whose model cannot be taken."""
    return [prepared(package, organization_id) for package in packages]


def prepared(
    package: Package,
    organization_id: UUID,
    *,
    trusted: bool = False,
    known: dict[str, StoredSchema] | None = None,
) -> PreparedPackage | Refusal:
    """One package; the refusal of its model when that cannot be taken.

    `trusted` leaves schemas unchecked: they are ours. `known` are schemas deflated before, by their text.
    """
    preparer = _Preparer(trusted=trusted, known={} if known is None else known)
    try:
        model = preparer.model(package.model, organization_id)
    except _Refused as error:
        return Refusal("model", package.model.name[:_MAX_NAME], str(error))
    made = PreparedPackage(model, icons=preparer.icons, refused=[*package.refused])
    preparer.into = made
    preparer.note_model(package.model.name)
    for component in package.components:
        preparer.add(component)
    preparer.add_relationships(package.relationships)
    for connection in package.connections:
        preparer.add_connection(connection)
    for policy in package.policies:
        try:
            _check_name("name", policy.name)
            if any((one.language, one.name) == (policy.language, policy.name) for one, _ in made.policies):
                raise _Refused("another policy of the package has its name")
            made.policies.append((policy, _hash(_json(_plain(policy)))))
        except _Refused as error:
            made.refused.append(Refusal("policy", policy.name[:_MAX_NAME], str(error)))
    return _with_fingerprint(made)


class _Refused(Exception):
    """An entity cannot be taken; the text says why."""


class _Preparer:
    """Prepares the parts of one package."""

    def __init__(self, *, trusted: bool, known: dict[str, StoredSchema]) -> None:
        self._trusted = trusted
        self._known = known
        self._places: dict[UUID, int] = {}
        self.into: PreparedPackage
        self.icons: dict[str, str] = {}
        self.icons_refused: list[str] = []

    def model(self, entity: ModelEntity, organization_id: UUID) -> PreparedModel:
        """The model. Raises _Refused."""
        # A registrant without a name bears that of its kind: so it is exported, and so it has to be the same again.
        entity = replace(entity, registrant_name=entity.registrant_name or entity.registrant_kind)
        for what, text in (
            ("name", entity.name),
            ("version", entity.version),
            ("registrant kind", entity.registrant_kind),
            ("definition version", entity.definition_version),
        ):
            _check_name(what, text)
        _check_status(entity.status, _STATUSES)
        metadata, icons, refused = with_icons_apart(entity.metadata)
        self.icons.update(icons)
        self.icons_refused = refused
        category = entity.category if entity.category in names.CATEGORIES else "Uncategorized"
        model = PreparedModel(
            model_id=names.described_model_id(
                organization_id,
                entity.registrant_kind,
                entity.name,
                entity.version,
                entity.definition_version,
            ),
            registrant_kind=entity.registrant_kind,
            registrant_name=_text(entity.registrant_name)[:_MAX_NAME],
            name=entity.name,
            display_name=_text(entity.display_name)[:_MAX_NAME] or names.model_display_name(entity.name),
            description=_text(entity.description)[:_MAX_TEXT],
            definition_version=entity.definition_version,
            version=entity.version,
            order=names.version_order(entity.version),
            category_id=names.category_id(category),
            category=category,
            sub_category=_text(entity.sub_category)[:_MAX_NAME] or "Uncategorized",
            status=entity.status,
            annotation=entity.annotation,
            metadata=_json(metadata),
            icons=sorted(icons),
            content_hash=b"",
        )
        return replace(model, content_hash=_hash_of(model, besides=("model_id", "order", "category_id")))

    def note_model(self, name: str) -> None:
        """Say which icons of the model were left out."""
        self._note(name, self.icons_refused)

    def add(self, entity: ComponentEntity) -> None:
        """A component, or its refusal."""
        try:
            component, icons = self._component(entity)
        except (_Refused, SchemaRefused) as error:
            where = f"{entity.api_version} {entity.kind}".strip()[:_MAX_NAME]
            self.into.refused.append(Refusal("component", entity.kind[:_MAX_NAME], str(error), where))
            return
        self.icons.update(icons)
        place = self._places.setdefault(component.component_id, len(self.into.components))
        if place < len(self.into.components):
            # Two files of one package that describe the same kind: the later one holds.
            self.into.components[place] = component
        else:
            self.into.components.append(component)

    def _component(self, entity: ComponentEntity) -> tuple[PreparedComponent, dict[str, str]]:
        for what, text in (
            ("kind", entity.kind),
            ("API version", entity.api_version),
            ("definition version", entity.definition_version),
        ):
            _check_name(what, text)
        _check_status(entity.status, _COMPONENT_STATUSES)
        styles, icons, refused = with_icons_apart(entity.styles)
        self._note(entity.kind, refused)
        schema, usable = self._schema(entity.schema)
        component = PreparedComponent(
            component_id=names.described_id(
                self.into.model.model_id,
                "component",
                entity.api_version,
                entity.kind,
                entity.definition_version,
            ),
            kind=entity.kind,
            api_version=entity.api_version,
            display_name=_text(entity.display_name)[:_MAX_NAME] or names.display_name(entity.kind),
            description=_text(entity.description)[:_MAX_TEXT],
            definition_version=entity.definition_version,
            namespaced=entity.namespaced,
            custom=entity.custom,
            status=entity.status,
            annotation=entity.annotation,
            schema_hash=None if schema is None else schema.hash,
            schema_bytes=0 if schema is None else schema.bytes,
            schema_usable=usable,
            styles=_json(styles),
            capabilities=_json(entity.capabilities),
            metadata=_json(entity.metadata),
            configuration=_json(entity.configuration),
            icons=sorted(icons),
            content_hash=b"",
        )
        content_hash = _hash_of(component, besides=("component_id", "schema_usable"))
        return replace(component, content_hash=content_hash), icons

    def _schema(self, text: str) -> tuple[StoredSchema | None, bool]:
        """The schema as it is stored, and whether it is the author's own. Raises SchemaRefused."""
        if not text.strip():
            return None, True
        usable = True
        if not self._trusted:
            text, usable = checked_schema(text)
        if text not in self._known:
            self._known[text] = stored_schema(text.encode())
        schema = self._known[text]
        self.into.schemas[schema.hash] = schema
        return schema, usable

    def add_relationships(self, entities: Sequence[RelationshipEntity]) -> None:
        """Relationships, or their refusals.

        What names one are its kind, type, sub-type and the kinds that its selectors name; of several with the same
        names the order decides.
        """
        times: Counter[tuple[str, ...]] = Counter()
        for entity in entities:
            title = f"{entity.kind} {entity.type} {entity.sub_type}"[:_MAX_NAME]
            try:
                for what, text in (
                    ("kind", entity.kind),
                    ("type", entity.type),
                    ("sub-type", entity.sub_type),
                ):
                    _check_name(what, text)
                _check_status(entity.status, _RELATIONSHIP_STATUSES)
                definition, icons, refused = _definition_of(entity)
                self._note(title, refused)
                body = _json(definition)
                selected = selected_kinds(entity.definition)
            except _Refused as error:
                self.into.refused.append(Refusal("relationship", title, str(error)))
                continue
            called = (entity.kind, entity.type, entity.sub_type, *(",".join(side) for side in selected))
            times[called] += 1
            relationship_id = names.described_id(
                self.into.model.model_id, "relationship", *called, str(times[called])
            )
            self.icons.update(icons)
            self.into.relationships.append(
                PreparedRelationship(
                    relationship_id=relationship_id,
                    kind=entity.kind,
                    type=entity.type,
                    sub_type=entity.sub_type,
                    status=entity.status,
                    definition=body,
                    icons=sorted(icons),
                    content_hash=_hash(_json([*called[:3], entity.status]) + body),
                    from_kinds=selected[0],
                    to_kinds=selected[1],
                )
            )

    def add_connection(self, entity: ConnectionEntity) -> None:
        """A connection definition, or its refusal."""
        made = self.into
        definition_id = names.described_id(made.model.model_id, "connection", entity.kind)
        definition, icons, refused = _with_pictures_apart(entity.definition)
        try:
            body = _json(definition)
            _check_name("kind", entity.kind)
            if any(one.definition_id == definition_id for one in made.connections):
                raise _Refused("another connection definition of the package has its kind")
        except _Refused as error:
            made.refused.append(Refusal("connection", entity.kind[:_MAX_NAME], str(error)))
            return
        self._note(entity.kind, refused)
        self.icons.update(icons)
        made.connections.append(
            PreparedConnection(definition_id, entity.kind, body, sorted(icons), _hash(body))
        )

    def _note(self, name: str, refused: Iterable[str]) -> None:
        """Icons that were left out: the definition itself is taken."""
        for reason in refused:
            remedy = "Send SVG text without scripts and references, or an address."
            self.into.refused.append(Refusal("file", f"icon of {name}", reason, remedy=remedy))


def selected_kinds(definition: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kinds that a relationship goes from and to, sorted."""
    sides: tuple[set[str], set[str]] = (set(), set())
    selectors = definition.get("selectors")
    for selector in selectors if isinstance(selectors, list) else ():
        allowed = selector.get("allow") if isinstance(selector, Mapping) else None
        if not isinstance(allowed, Mapping):
            continue
        for side, name in zip(sides, ("from", "to"), strict=True):
            items = allowed.get(name)
            side.update(
                str(one.get("kind") or "*")
                for one in (items if isinstance(items, list) else ())
                if isinstance(one, Mapping)
            )
    return tuple(sorted(sides[0])), tuple(sorted(sides[1]))


def _definition_of(entity: RelationshipEntity) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    definition = dict(entity.definition)
    metadata = definition.get("metadata")
    if not isinstance(metadata, Mapping):
        return definition, {}, []
    apart, icons, refused = _with_pictures_apart(metadata)
    return {**definition, "metadata": apart}, icons, refused


def _with_pictures_apart(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """A document with the addresses of icons in its `styles`, the icons, and why others were left out."""
    styles = document.get("styles")
    if not isinstance(styles, Mapping):
        return dict(document), {}, []
    apart, icons, refused = with_icons_apart(styles)
    return {**document, "styles": apart}, icons, refused


def _with_fingerprint(package: PreparedPackage) -> PreparedPackage:
    """The fingerprint: of everything that decides what is stored."""
    digest = hashlib.sha256(package.model.content_hash)
    for content_hash in (
        *(one.content_hash for one in package.components),
        *(one.content_hash for one in package.relationships),
        *(one.content_hash for one in package.connections),
        *(content_hash for _, content_hash in package.policies),
    ):
        digest.update(content_hash)
    return replace(package, fingerprint=digest.digest())


def _plain(entity: Any) -> dict[str, Any]:
    return {one.name: getattr(entity, one.name) for one in fields(entity)}


def _json(value: Any) -> bytes:
    """Its JSON, keys sorted. Raises _Refused when it has none, or one that PostgreSQL cannot hold."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        raise _Refused("it holds values that JSON does not have, or is nested too deeply") from None
    if len(text) > _MAX_DOCUMENT_BYTES:
        raise _Refused(f"it has {len(text):,} bytes, {_MAX_DOCUMENT_BYTES:,} are allowed")
    if b"\\u0000" in text:
        raise _Refused("it holds the character NUL")
    return text


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(f"{PREPARER_VERSION} ".encode() + body).digest()


def _hash_of(row: PreparedModel | PreparedComponent, besides: Collection[str]) -> bytes:
    """Of what is stored, not of what was sent: what was exported is the same again."""
    values = {name: one for name, one in _plain(row).items() if name not in besides}
    return _hash(_json({name: one.decode() if type(one) is bytes else one for name, one in values.items()}))


def _text(text: str) -> str:
    return text.replace("\0", "").strip()


def _check_name(what: str, text: str) -> None:
    if not text.strip() or "\0" in text:
        raise _Refused(f"its {what} is empty")
    if len(text) > _MAX_NAME:
        raise _Refused(f"its {what} has {len(text):,} characters, {_MAX_NAME} are allowed")


def _check_status(status: str, allowed: Sequence[str]) -> None:
    if status not in allowed:
        raise _Refused(f"its status is {status[:50]!r}, known are {', '.join(allowed)}")
