"""Model definitions of every generation (`models.meshery.io/v1beta1`, `/v1beta2`)."""

from __future__ import annotations

import re
from typing import Any

from meshery_registry.domain.entities import ModelEntity
from meshery_registry.domain.names import DEFINITION_VERSION, model_display_name
from meshery_registry.domain.packages.fields import (
    Document,
    Unreadable,
    mapping,
    named,
    one_of,
    prose,
    switch,
    text,
    without,
)

STATUSES = ("enabled", "ignored", "duplicate")
UNCATEGORIZED = "Uncategorized"
#: What the schema of models wants for a description when there is none.
PLAIN_DESCRIPTION = "A new Meshery model."
#: Texts of styles that writers put down as empty when there are none.
LOOKS = ("primaryColor", "secondaryColor", "svgColor", "svgWhite", "svgComplete", "shape")

#: Blanks are against the schema and in models that Meshery ships.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._ -]*[A-Za-z0-9._-])?")
#: Where a sub-category stands that the schema does not know: Meshery's older models have it there, too.
SUB_CATEGORY = "subCategory"


def is_model_name(name: str) -> bool:
    """Whether a model may be called so."""
    return _NAME.fullmatch(name) is not None


def model_entity(document: Document) -> ModelEntity:
    """A model as its own file, or another definition, has it. Raises Unreadable."""
    name = named(document, "name", "name")
    if not is_model_name(name):
        raise Unreadable(f"{name!r} is no name of a model.", "Take small letters, digits and hyphens.")
    registrant = mapping(document, "registrant")
    if not text(registrant, "kind"):
        raise Unreadable(
            "`registrant.kind` is missing: nobody stands for the model.",
            "Name who registers it, such as `registrant: {kind: github}`.",
        )
    metadata = mapping(document, "metadata")
    sub_category = text(document, "subCategory", UNCATEGORIZED)
    if sub_category == UNCATEGORIZED:
        sub_category = text(metadata, SUB_CATEGORY, UNCATEGORIZED)
    description = prose(document, "description")
    return ModelEntity(
        name=name,
        version=named(mapping(document, "model"), "version", "model.version"),
        display_name=text(document, "displayName", model_display_name(name)),
        description="" if description == PLAIN_DESCRIPTION else description,
        definition_version=text(document, "version", DEFINITION_VERSION),
        category=_category(document),
        sub_category=sub_category,
        status=one_of(text(document, "status"), STATUSES, "enabled"),
        annotation=switch(metadata, "isAnnotation", default=False),
        registrant_kind=text(registrant, "kind").lower(),
        registrant_name=text(registrant, "name"),
        metadata=looks(metadata, dropped={"isAnnotation", SUB_CATEGORY}),
    )


def looks(found: Document, dropped: set[str]) -> dict[str, Any]:
    """Metadata or styles without what is told elsewhere, and without looks that were left empty."""
    return without(found, dropped | {key for key in LOOKS if found.get(key) == ""})


def _category(document: Document) -> str:
    if isinstance(document.get("category"), str):
        return text(document, "category", UNCATEGORIZED)
    return text(mapping(document, "category"), "name", UNCATEGORIZED)
