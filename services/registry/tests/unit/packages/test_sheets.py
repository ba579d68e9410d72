"""Meshery's three sheets, as its spreadsheet is exported."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from meshery_registry.domain.packages import read_sheets

MODELS = [
    ["Registrant", "", "Naming", "", "", "", "", "Looks", "", ""],
    ["registrant", "modelDisplayName", "model", "category", "subCategory", "description", "sourceURL",
     "primaryColor", "styleOverrides", "publishToRegistry"],
    ["meshery", "Our Own", "our-own", "Tools", "Framework", "Things, of our own", "https://x", "#123456",
     '{"shape": "hexagon"}', "TRUE"],
    ["artifacthub", "Consul", "consul", "Database", "", "", "https://artifacthub.io/consul", "", "", "true"],
    ["", "", "", "", "", "", "", "", "", ""],
]  # fmt: skip
COMPONENTS = [
    ["registrant", "model", "component", "description", "shape", "schema", "capabilities", "defaultData",
     "isAnnotation", "version", "status"],
    ["meshery", "our-own", "HTTPThing", "a thing", "circle", '{"type":"object"}', '[{"kind":"view"}]',
     '{"spec":{}}', "false", "v1.2.0", "enabled"],
    ["meshery", "our-own", "Circle", "", "circle", "", "", "", "TRUE", "v1.2.0", ""],
    ["meshery", "our-own", "Newer", "", "", "{}", "", "", "", "v1.3.0", "ignored"],
]  # fmt: skip
SELECTOR = '[{"allow":{"from":[{"kind":"A","match_strategy_matrix":[["equal"]]}],"to":[{"kind":"B"}]}}]'
RELATIONSHIPS = [
    ["Model", "Version", "kind", "type", "subType", "status", "PublishToRegistry", "metadata.description",
     "metadata.styles", "evalPolicy", "selector", "filename"],
    ["our-own", "*", "Hierarchical", "Parent", "Inventory", "enabled", "TRUE", "holds", '{"opacity":1}', "",
     SELECTOR, "x.json"],
    ["our-own", "v1.3.0", "Edge", "Non Binding", "network", "", "FALSE", "", "", "", SELECTOR, ""],
]  # fmt: skip


def sheet(rows: list[list[str]]) -> str:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def test_the_three_sheets() -> None:
    readings = read_sheets(sheet(MODELS), "\ufeff" + sheet(COMPONENTS), sheet(RELATIONSHIPS))
    older, newer = readings.packages
    model = older.model
    assert (model.name, model.version, model.display_name) == ("our-own", "v1.2.0", "Our Own")
    assert (model.category, model.sub_category, model.status) == ("Tools", "Framework", "enabled")
    assert model.description == "Things, of our own"
    assert model.metadata == {"source_uri": "https://x", "primaryColor": "#123456", "shape": "hexagon"}
    assert newer.model.version == "v1.3.0"
    circle, thing = older.components
    assert circle.annotation
    assert (thing.kind, thing.api_version, thing.display_name) == ("HTTPThing", "v1.2.0", "HTTP Thing")
    assert thing.configuration == {"spec": {}}
    assert thing.capabilities == ({"kind": "view"},)
    assert thing.styles == {"shape": "circle"}
    assert newer.components[0].status == "ignored"
    (inventory,) = older.relationships
    assert (inventory.kind, inventory.type, inventory.sub_type) == ("hierarchical", "parent", "inventory")
    assert inventory.definition["metadata"]["styles"] == {"opacity": 1}
    item = inventory.definition["selectors"][0]["allow"]["from"][0]
    assert item == {"kind": "A", "matchStrategyMatrix": [["equal"]]}
    assert [(one.type, one.status) for one in newer.relationships] == [
        ("non-binding", "ignored"),
        ("parent", "enabled"),
    ]
    (refused,) = readings.refused
    assert (refused.name, refused.where) == ("consul", "models, row 4")
    assert "Import its source" in refused.remedy


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        ("capabilities", "{}", "The column `capabilities` is not a list of JSON."),
        ("defaultData", "{", "The column `defaultData` is not an object of JSON."),
        ("schema", "", "`component.schema` is empty, and the component is no annotation."),
        ("model", "unknown", "The sheet of models has no model 'unknown v1.2.0'."),
        ("component", "", "`component.kind` is missing."),
    ],
)
def test_a_cell_that_is_wrong(cell: str, value: str, reason: str) -> None:
    rows = [row.copy() for row in COMPONENTS]
    rows[1][rows[0].index(cell)] = value
    readings = read_sheets(sheet(MODELS[:3]), sheet(rows), "")
    refused = [*readings.refused, *(one for package in readings.packages for one in package.refused)]
    assert [(one.reason, one.where) for one in refused] == [(reason, "components, row 2")]
    assert refused[0].remedy


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ("a,b\n1,2\n", "None of its first 5 rows names the columns model, registrant."),
        ('model,registrant\n"x"y,z\n', "The sheet is no CSV"),
        ('model,registrant\n"x', "The sheet is no CSV"),
    ],
)
def test_a_sheet_that_is_wrong(models: str, reason: str) -> None:
    readings = read_sheets(models, "", "")
    assert not readings.packages
    assert readings.refused[0].reason.startswith(reason)
    assert readings.refused[0].where == "models"


def test_no_sheets() -> None:
    assert not read_sheets("", "", "").packages


def test_a_whole_schema_in_a_cell() -> None:
    rows = [row.copy() for row in COMPONENTS]
    rows[1][rows[0].index("schema")] = '{"description":"' + "x" * 500_000 + '"}'
    packages = read_sheets(sheet(MODELS), sheet(rows), "").packages
    assert len(packages[0].components[1].schema) > 500_000
