"""What an OPA server said of a design, as findings.

A package speaks as those of conftest and Gatekeeper do: `deny` (or `violation`) and `warn` are sets of messages, or of
mappings with `msg` and perhaps `component_id`, `path` and `remedy`. Everything else in a package is its own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from meshery_contracts.policies import Finding, Outcome
from meshery_registry.domain.policies.designs import Judged, judged_of
from meshery_registry.domain.policies.documents import MAX_TEXT_CHARACTERS, PolicyDocument
from meshery_registry.domain.policies.verdicts import Named, effective

_SETS = (("deny", Outcome.DENY), ("violation", Outcome.DENY), ("warn", Outcome.WARN))


def input_of(design: Mapping[str, Any]) -> dict[str, Any]:
    """What an OPA server is told of a design: the file, its components with values of Secrets hidden."""
    judged = judged_of(design)
    shown = [
        {
            "id": str(one.component_id or ""),
            "displayName": one.name,
            "component": {"version": one.object["apiVersion"], "kind": one.kind},
            "model": {"name": one.model},
            "configuration": {
                key: value for key, value in one.object.items() if key not in ("apiVersion", "kind")
            },
        }
        for one in judged
    ]
    kept = ("id", "name", "schemaVersion", "version", "metadata", "relationships")
    design_file = {key: design[key] for key in kept if key in design}
    return {**design_file, "components": shown, "objects": [one.object for one in judged]}


def findings_of(
    result: Mapping[str, Any], document: PolicyDocument, named: Named, design: Mapping[str, Any]
) -> Iterator[Finding]:
    """What the package says, refusals first, in the order of the texts: a set has none of its own."""
    components = {str(one.component_id): one for one in judged_of(design) if one.component_id}
    for rule, action in _SETS:
        for said in sorted(
            _entries(result.get(rule)), key=lambda one: orjson.dumps(one, option=orjson.OPT_SORT_KEYS)
        ):
            yield _finding(rule, action, said, document, named, components)


def _entries(value: Any) -> list[Any]:
    """What a set, a partial mapping, or a single value says; nothing only when there is nothing, or false."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    return [value] if value else []


def _finding(
    rule: str,
    action: Outcome,
    said: Any,
    document: PolicyDocument,
    named: Named,
    components: Mapping[str, Judged],
) -> Finding:
    fields = said if isinstance(said, dict) else {}
    about = components.get(_text(fields, "component_id", "componentId"))
    message = _text(fields, "msg", "message") or (said if isinstance(said, str) else "")
    return Finding(
        policy_id=named.policy_id,
        policy_name=document.name,
        policy_version=named.version,
        rule=rule,
        action=action,
        outcome=effective(action, named),
        component_id=about.component_id if about else None,
        component_name=about.name if about else "",
        kind=about.kind if about else "",
        path=_text(fields, "path")[:500],
        message=(message or f"`{rule}` holds.")[:MAX_TEXT_CHARACTERS],
        remedy=_text(fields, "remedy")[:MAX_TEXT_CHARACTERS],
    )


def _text(fields: Mapping[str, Any], *keys: str) -> str:
    return next((fields[key] for key in keys if isinstance(fields.get(key), str)), "")
