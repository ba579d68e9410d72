"""Golden cases: definitions, a design, changes of it, and what each step leads to, as sentences.

Every case is evaluated as a whole and step by step in a session: both must say the same. After every step a second
evaluation must be empty, and the order of components must not matter. A file of `cases/` is one case:

- `definitions`: relationship documents; `components` as `id, kind, version, name, model, configuration`.
- `steps`: the first evaluates the design, the others change it: `components` (put), `remove` (ids), `delete`
  (relationships that get the status deleted), `drop` (that are taken out), `draw` (that a person makes),
  `preferences`. `actions` are the sentences that must come out, `warnings` those of the trace.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from meshery_registry.domain.evaluation.actions import Action
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.session import Change, Outcome, Session

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))

Design = dict[str, Any]


def component(short: dict[str, Any]) -> dict[str, Any]:
    """A component from its short form."""
    return {
        "id": short["id"],
        "displayName": short.get("name", short["id"]),
        "component": {
            "kind": short["kind"],
            "version": short.get("version", "v1"),
            "schema": short.get("schema", ""),
        },
        "modelReference": {"name": short.get("model", "kubernetes")},
        "configuration": short.get("configuration", {}),
    }


def edited(design: Design, step: dict[str, Any]) -> tuple[Design, Change]:
    """A design after a step of a case, and the same as a change."""
    design = copy.deepcopy(design)
    put = [component(one) for one in step.get("components", ())]
    removed = step.get("remove", [])
    by_id = {one["id"]: one for one in design["components"] if one["id"] not in removed}
    names = names_of(design)
    relationships = {one["id"]: one for one in design["relationships"]}
    marked, dropped = [], []
    for one in design["relationships"]:
        name = sentence(one, names)
        if name in step.get("delete", ()):
            marked.append({**one, "status": "deleted"})
        if name in step.get("drop", ()):
            dropped.append(one["id"])
    assert len(marked) == len(step.get("delete", ()))
    assert len(dropped) == len(step.get("drop", ()))
    changed = [*marked, *step.get("draw", ())]
    by_id |= {one["id"]: one for one in put}
    relationships |= {one["id"]: one for one in changed}
    whole = {
        **design,
        "components": list(by_id.values()),
        "relationships": [one for one in relationships.values() if one["id"] not in dropped],
    }
    preferences = step.get("preferences")
    if preferences is not None:
        whole["preferences"] = preferences
    change = Change(
        components=tuple(put),
        removed_components=tuple(removed),
        relationships=tuple(changed),
        removed_relationships=tuple(dropped),
        preferences=preferences,
    )
    return whole, change


def names_of(design: Design, outcome: Outcome | None = None) -> dict[str, str]:
    """What components are called in sentences: their id, or kind and name when the evaluation made it."""
    gone = outcome.trace["componentsRemoved"] if outcome else []
    return {
        one["id"]: f"{one['component']['kind']}:{one['displayName']}" if len(one["id"]) > 20 else one["id"]
        for one in (*design["components"], *gone)
    }


def sentence(relationship: dict[str, Any], names: dict[str, str]) -> str:
    """`mount settings -> web`; a third party stands between."""
    allow = relationship["selectors"][0]["allow"]
    ends = [
        " ".join(sorted(names.get(str(one["id"]), str(one["id"])) for one in allow[part]))
        for part in ("from", "to")
    ]
    through = {
        names.get(str(one["id"]), str(one["id"]))
        for part in ("from", "to")
        for one in allow["from"][0].get("match", {}).get(part, ())
        if isinstance(one, dict) and one.get("kind") != "self" and "id" in one
    }
    return f"{relationship['subType']} {' -> '.join([ends[0], *sorted(through), ends[1]])}"


def told(action: Action, relationships: dict[str, Any], names: dict[str, str]) -> str:
    """An action as a sentence; approvals say nothing new."""
    op, value = action["op"], action["value"]
    if op == "add_component":
        return f"add {names[value['item']['id']]}"
    if op == "delete_component":
        return f"delete {names[value['id']]}"
    if op == "add_relationship":
        assert value["item"]["status"] == "identified"
        return f"relate {sentence(value['item'], names)}"
    if op == "delete_relationship":
        return f"part {sentence(value['relationship'], names)}"
    if op == "update_relationship":
        if value["path"] == "/status":
            return "" if value["value"] == "approved" else f"status {value['value']}"
        return f"renew {sentence(relationships[value['id']], names)}"
    place = f"{names[value['id']]} {'.'.join(value['path'])}"
    assert op == (
        "update_component_configuration" if value["path"][0] == "configuration" else "update_component"
    )
    return f"{value['mode']} {place} = {orjson.dumps(value['value'], option=orjson.OPT_SORT_KEYS).decode()}"


def sentences(outcome: Outcome, design: Design) -> list[str]:
    """All actions of an outcome, in order."""
    relationships = {one["id"]: one for one in design["relationships"]}
    names = names_of(design, outcome)
    return [text for one in outcome.actions if (text := told(one, relationships, names))]


def in_any_order(design: Design) -> Design:
    """A design for comparisons: the order of its parts, and its version, say nothing."""
    return {
        **design,
        "version": "",
        "components": sorted(design["components"], key=lambda one: str(one["id"])),
        "relationships": sorted(design["relationships"], key=lambda one: str(one["id"])),
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = orjson.loads(path.read_bytes())
    catalogue = Catalogue(case["definitions"])
    assert list(catalogue.refused) == case.get("refused", [])
    session: Session | None = None
    design: Design = {"name": "case", "version": "1.2.3", "components": [], "relationships": []}
    for step in case["steps"]:
        whole, change = edited(design, step)
        untouched = copy.deepcopy(whole)
        fresh = Session(catalogue, whole)
        assert whole == untouched, "evaluation changed what it was given"
        design = fresh.design()
        assert sentences(fresh.first, design) == step["actions"]
        assert fresh.first.trace["warnings"] == step.get("warnings", [])
        if step["actions"]:
            assert design["version"] != whole["version"]
        if session is None:
            session = fresh
        else:
            outcome = session.change(change)
            assert outcome.actions == fresh.first.actions
            assert in_any_order(session.design()) == in_any_order(design)
        backwards = Session(catalogue, {**whole, "components": whole["components"][::-1]})
        assert backwards.first.actions == fresh.first.actions
        assert in_any_order(backwards.design()) == in_any_order(design)
        assert Session(catalogue, design).first.actions == []
        assert session.change(Change()).actions == []
