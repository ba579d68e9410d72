"""Meshery's spreadsheet of integrations: three sheets as CSV, for models, components and relationships.

A row becomes the document that it stands for and is read as any other definition. Columns go by their names, in any
order and spelling of capitals; rows above the one with the names are for people.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any, Final, Literal

import orjson

from meshery_registry.domain.entities import EntityType, Readings, Refusal
from meshery_registry.domain.names import DEFINITION_VERSION, display_name
from meshery_registry.domain.packages.drafts import Definition, defined
from meshery_registry.domain.packages.fields import Unreadable

#: A cell may hold a whole JSON Schema.
_MAX_CELL: Final = 4 * 1024 * 1024
_HEADER_ROWS: Final = 5
_ANY_VERSION: Final = ("", "*")
_LOOKS: Final = ("primaryColor", "secondaryColor", "svgColor", "svgWhite", "svgComplete", "shape")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row by its columns' names in small letters."""

    where: str
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.cells.get(column.lower(), "").strip()

    def true(self, column: str) -> bool:
        return self.text(column).lower() == "true"

    @property
    def published(self) -> bool:
        """Whether it is to be in use; a sheet without such a column is."""
        return "publishtoregistry" not in self.cells or self.true("publishToRegistry")

    def json(self, column: str, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
        """A cell of JSON, an empty value if there is none. Raises Unreadable."""
        if not self.text(column):
            return kind()
        try:
            found = orjson.loads(self.text(column))
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, kind):
            wanted = "an object" if kind is dict else "a list"
            raise Unreadable(f"The column `{column}` is not {wanted} of JSON.", "Mend the cell, or empty it.")
        return found


def read_sheets(models: str, components: str, relationships: str) -> Readings:
    """The models of three sheets; an empty text is a sheet that there is not."""
    sheets = _Sheets()
    model_rows = sheets.rows("models", models, ("model", "registrant"))
    component_rows = sheets.rows("components", components, ("model", "component"))
    relationship_rows = sheets.rows("relationships", relationships, ("model", "kind", "selector"))
    for row in model_rows:
        # The sheet of models names no version: their components tell it.
        own = [one for one in component_rows if one.text("model") == row.text("model")]
        sheets.add_model(row, sorted({_version(one) for one in own}))
    for row in component_rows:
        sheets.add("component", row, _component, _version(row))
    for row in relationship_rows:
        sheets.add("relationship", row, _relationship, row.text("version"))
    readings = defined(sheets.found)
    return Readings(readings.packages, (*sheets.refused, *readings.refused))


class _Sheets:
    """What the rows defined so far."""

    def __init__(self) -> None:
        self.found: list[Definition] = []
        self.refused: list[Refusal] = []
        self._versions: dict[str, list[str]] = {}

    def rows(self, sheet: str, text: str, columns: tuple[str, ...]) -> list[_Row]:
        """The rows of a sheet, if it has the columns that it cannot be without."""
        # Of the whole process, and the same for all: the standard library has no other way.
        csv.field_size_limit(_MAX_CELL)
        try:
            table = list(csv.reader(StringIO(text.lstrip("\ufeff")), strict=True)) if text.strip() else []
        except csv.Error as error:
            self._refuse(
                "file", sheet, f"The sheet is no CSV: {error}.", sheet, "Export the sheet again as CSV."
            )
            return []
        for position, names in enumerate(table[:_HEADER_ROWS]):
            lowered = [name.strip().lower() for name in names]
            if set(columns) <= set(lowered):
                return [
                    _Row(f"{sheet}, row {number}", dict(zip(lowered, cells, strict=False)))
                    for number, cells in enumerate(table[position + 1 :], start=position + 2)
                    if any(cell.strip() for cell in cells)
                ]
        if table:
            listed = ", ".join(columns)
            reason = f"None of its first {_HEADER_ROWS} rows names the columns {listed}."
            self._refuse("file", sheet, reason, sheet, "Keep the row with the names of the columns.")
        return []

    def add_model(self, row: _Row, versions: list[str]) -> None:
        """One model for each version that its components have."""
        name = row.text("model")
        if not versions:
            reason = "The sheet of components has none for it."
            remedy = "Import its source, such as its Helm chart, or list its components."
            self._refuse("model", name, reason, row.where, remedy)
        for version in versions:
            self._versions.setdefault(name, []).append(version)
            self._read("model", f"{name}/{version}/model", row, partial(_model, row, version))

    def add(
        self, entity_type: EntityType, row: _Row, document: Callable[[_Row], dict[str, Any]], version: str
    ) -> None:
        """What belongs to one version of a model, or to all of them."""
        known = self._versions.get(row.text("model"), [])
        chosen = known if version in _ANY_VERSION else [one for one in known if one == version]
        if not chosen:
            wanted = f"{row.text('model')} {version}".strip()
            reason = f"The sheet of models has no model {wanted!r}."
            remedy = "Add the model to its sheet."
            self._refuse(entity_type, _name(row), reason, row.where, remedy)
        for one in chosen:
            self._read(entity_type, f"{row.text('model')}/{one}/{entity_type}", row, partial(document, row))

    def _read(
        self, entity_type: EntityType, path: str, row: _Row, document: Callable[[], dict[str, Any]]
    ) -> None:
        try:
            self.found.append(Definition.read(path, row.where, document()))
        except Unreadable as error:
            self._refuse(entity_type, _name(row), error.reason, row.where, error.remedy)

    def _refuse(
        self, kind: EntityType | Literal["file"], name: str, reason: str, where: str, remedy: str
    ) -> None:
        self.refused.append(Refusal(kind, name, reason, where, remedy))


def _name(row: _Row) -> str:
    words = [row.text(key) for key in ("kind", "type", "subType")]
    return row.text("component") or "-".join(filter(None, words)) or row.text("model")


def _version(row: _Row) -> str:
    return row.text("version") or DEFINITION_VERSION


def _model(row: _Row, version: str) -> dict[str, Any]:
    told = {key: row.text(key) for key in ("website", "docs", "logoURL", "shapePolygonPoints")}
    return {
        "schemaVersion": "models.meshery.io/v1beta1",
        "name": row.text("model"),
        "displayName": row.text("modelDisplayName"),
        "description": row.text("description"),
        "status": "enabled" if row.published else "ignored",
        "registrant": {"kind": row.text("registrant")},
        "category": {"name": row.text("category")},
        "subCategory": row.text("subCategory"),
        "model": {"version": version},
        "metadata": {
            **{key: one for key, one in told.items() if one},
            **({"source_uri": row.text("sourceURL")} if row.text("sourceURL") else {}),
            **({"capabilities": row.json("capabilities", list)} if row.text("capabilities") else {}),
            **_styles(row),
            "isAnnotation": row.true("isAnnotation"),
        },
    }


def _component(row: _Row) -> dict[str, Any]:
    told = {key: row.text(key) for key in ("genealogy", "docs", "logoURL")}
    return {
        "schemaVersion": "components.meshery.io/v1beta1",
        "displayName": display_name(row.text("component")),
        "description": row.text("description"),
        "status": row.text("status"),
        "styles": _styles(row),
        "capabilities": row.json("capabilities", list),
        "configuration": row.json("defaultData", dict),
        "metadata": {
            **{key: one for key, one in told.items() if one},
            "isAnnotation": row.true("isAnnotation"),
        },
        "component": {
            "kind": row.text("component"),
            "version": _version(row),
            "schema": row.text("schema"),
        },
    }


def _relationship(row: _Row) -> dict[str, Any]:
    return {
        "schemaVersion": "relationships.meshery.io/v1alpha3",
        **{key: row.text(key) for key in ("kind", "type", "subType")},
        "status": row.text("status") if row.published else "ignored",
        "evaluationQuery": row.text("evalPolicy"),
        "metadata": {
            "description": row.text("metadata.description"),
            "isAnnotation": row.true("metadata.isAnnotation"),
            "styles": row.json("metadata.styles", dict),
        },
        "selectors": row.json("selector", list),
    }


def _styles(row: _Row) -> dict[str, Any]:
    """The columns of looks, and the two of JSON, of which the overrides have the last word."""
    return {
        **{key: row.text(key) for key in _LOOKS},
        **row.json("styles", dict),
        **row.json("styleOverrides", dict),
    }
