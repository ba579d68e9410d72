"""What a policy says, read strictly: a misspelt key would be a rule that nobody enforces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from meshery_contracts.errors import FieldProblem, Invalid
from meshery_contracts.policies import Outcome, PolicyLanguage
from meshery_registry.domain.policies.reading import Place

SCHEMA_VERSION = "policies.meshery.io/v1"
SCOPES = ("component", "design")
SEVERITIES = ("low", "medium", "high", "critical")
STRATEGIES = ("replace", "merge")
FAILURE_POLICIES = ("fail", "ignore")
MAX_RULES = 50
MAX_VARIABLES = 20
MAX_TESTS = 50
MAX_EXPRESSION_CHARACTERS = 4000
MAX_TEXT_CHARACTERS = 1000
MAX_PARAMS_BYTES = 16 * 1024
#: A name that CEL can say: of rules' variables.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?")
_PACKAGE = re.compile(r"^[ \t]*package[ \t]+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)[ \t\r]*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Match:
    """Which components a policy is about; an empty field means any. `*` stands for any characters."""

    kinds: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that rules read as `variables.<name>`."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class RuleProposal:
    """What a mutate rule proposes to put where."""

    path: str
    value_expression: str
    strategy: str


@dataclass(frozen=True, slots=True)
class Rule:
    """`expression` says what must hold; when it does not, `action` follows."""

    name: str
    expression: str
    action: Outcome
    message: str = ""
    message_expression: str = ""
    severity: str = "medium"
    path: str = ""
    remedy: str = ""
    proposal: RuleProposal | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A test: a design file, what the policy must say of it, and which rules must say so (None: any)."""

    name: str
    design: Mapping[str, Any]
    expect: Outcome
    rules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A whole policy. A Rego policy has no rules of ours: `package` names where its `deny` and `warn` are."""

    name: str
    description: str = ""
    language: PolicyLanguage = PolicyLanguage.CEL
    scope: str = "component"
    match: Match = field(default_factory=Match)
    params: Mapping[str, Any] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    rules: tuple[Rule, ...] = ()
    failure_policy: str = "fail"
    examples: tuple[Example, ...] = ()
    package: str = ""


def read_document(document: object, source: str = "") -> PolicyDocument:
    """A policy from its mapping, for Rego with its text. Raises Invalid naming every place that is wrong."""
    problems: list[FieldProblem] = []
    place = Place(document, "", problems)
    read = _document(place, source)
    if problems:
        first = problems[0]
        raise Invalid(
            f"The policy is not valid at {first.path or 'its top'}: {first.message}.",
            code="policy_invalid",
            fields=tuple(problems[:100]),
            remedy="Mend the named places; `docs/guides/policies.md` shows a whole policy.",
        )
    return read


def rego_package(source: str) -> str:
    """The package that a Rego text declares; empty without one."""
    found = _PACKAGE.search(source)
    return found[1] if found else ""


def _document(place: Place, source: str) -> PolicyDocument:
    place.only(
        *("schemaVersion", "name", "description", "language", "scope", "match", "params", "variables"),
        *("rules", "failurePolicy", "tests"),
    )
    place.choice("schemaVersion", (SCHEMA_VERSION,))
    language = PolicyLanguage(place.choice("language", tuple(PolicyLanguage)))
    rego = language is PolicyLanguage.REGO
    name = place.text("name", required=True, most=100)
    if name and not _NAME.fullmatch(name):
        place.wrong("name", "must be of a-z, 0-9, dots and dashes, e.g. `no-host-path`")
    rules = [_rule(one) for one in place.list("rules", most=MAX_RULES)]
    variables = tuple(_variable(one) for one in place.list("variables", most=MAX_VARIABLES))
    place.unique("rules", [one.name for one in rules])
    place.unique("variables", [one.name for one in variables])
    package = ""
    if rego:
        package = rego_package(source)
        if not package:
            place.wrong("", "a Rego policy needs its text in `source`, with a `package`")
        if rules or variables:
            place.wrong("rules", "a Rego policy has its rules in its text")
    elif not rules:
        place.wrong("rules", "must name at least one rule")
    elif source:
        place.wrong("language", "must be `rego` when `source` is sent")
    examples = [_example(one) for one in place.list("tests", most=MAX_TESTS)]
    place.unique("tests", [one.name for one in examples])
    return PolicyDocument(
        name=name,
        description=place.text("description", most=5000),
        language=language,
        scope=place.choice("scope", ("design",) if rego and "scope" not in place.keys else SCOPES),
        match=_match(place.mapping("match")),
        params=_params(place),
        variables=variables,
        rules=tuple(rules),
        failure_policy=place.choice("failurePolicy", FAILURE_POLICIES),
        examples=tuple(examples),
        package=package,
    )


def _match(place: Place) -> Match:
    place.only("kinds", "apiVersions", "namespaces", "excludeNamespaces", "labels")
    return Match(
        kinds=place.texts("kinds"),
        api_versions=place.texts("apiVersions"),
        namespaces=place.texts("namespaces"),
        exclude_namespaces=place.texts("excludeNamespaces"),
        labels=place.text_mapping("labels"),
    )


def _params(place: Place) -> Mapping[str, Any]:
    params = place.mapping("params").value
    if len(orjson.dumps(params)) > MAX_PARAMS_BYTES:
        place.wrong("params", f"must have at most {MAX_PARAMS_BYTES:,} bytes as JSON")
    return params


def _variable(place: Place) -> Variable:
    place.only("name", "expression")
    name = place.text("name", required=True)
    if name and not _IDENTIFIER.fullmatch(name):
        place.wrong("name", "must be a name that an expression can use, e.g. `containers`")
    return Variable(name, _expression(place, "expression", required=True))


def _rule(place: Place) -> Rule:
    place.only(
        *("name", "expression", "action", "message", "messageExpression", "severity", "path", "remedy"),
        "proposal",
    )
    action = Outcome(place.choice("action", ("deny", "warn", "mutate")))
    proposal = None
    if action is Outcome.MUTATE:
        proposal = _proposal(place.mapping("proposal", required=True))
    elif "proposal" in place.keys:
        place.wrong("proposal", "is for rules with `action: mutate`")
    return Rule(
        name=place.text("name", required=True, most=100),
        expression=_expression(place, "expression", required=True),
        action=action,
        message=place.text("message", most=MAX_TEXT_CHARACTERS),
        message_expression=_expression(place, "messageExpression"),
        severity=place.choice("severity", SEVERITIES, default="medium"),
        path=place.text("path", most=500) or (proposal.path if proposal else ""),
        remedy=place.text("remedy", most=MAX_TEXT_CHARACTERS),
        proposal=proposal,
    )


def _proposal(place: Place) -> RuleProposal:
    place.only("path", "valueExpression", "strategy")
    return RuleProposal(
        path=place.text("path", required=True, most=500),
        value_expression=_expression(place, "valueExpression", required=True),
        strategy=place.choice("strategy", STRATEGIES),
    )


def _expression(place: Place, key: str, *, required: bool = False) -> str:
    return place.text(key, required=required, most=MAX_EXPRESSION_CHARACTERS)


def _example(place: Place) -> Example:
    place.only("name", "object", "objects", "design", "expect", "rules")
    given = [key for key in ("object", "objects", "design") if key in place.keys]
    design: Mapping[str, Any] = {}
    if len(given) != 1:
        place.wrong("", "must have one of `object`, `objects` and `design`")
    elif given == ["design"]:
        design = place.mapping("design").value
    else:
        objects = [place.mapping("object")] if given == ["object"] else place.list("objects", most=100)
        for one in objects:
            for key in ("apiVersion", "kind"):
                one.text(key, required=True)
        design = design_of([one.value for one in objects])
    return Example(
        name=place.text("name", required=True, most=200),
        design=design,
        expect=Outcome(place.choice("expect", tuple(Outcome))),
        rules=place.texts("rules") if "rules" in place.keys else None,
    )


def design_of(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A design file with a component for each of these Kubernetes objects."""
    return {
        "name": "example",
        "components": [
            {
                "displayName": str((one.get("metadata") or {}).get("name") or ""),
                "component": {"version": one.get("apiVersion"), "kind": one.get("kind")},
                "configuration": {
                    key: value for key, value in one.items() if key not in ("apiVersion", "kind")
                },
            }
            for one in objects
        ],
    }
