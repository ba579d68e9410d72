"""A policy on a design: what each rule says of each component that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from meshery_contracts.errors import FieldProblem, Invalid
from meshery_contracts.policies import Finding, Outcome, Proposal, TestOutcome
from meshery_registry.domain.policies.designs import (
    Judged,
    Kinds,
    by_kind,
    containers_of,
    facts_of,
    judged_of,
    matches,
    pod_of,
)
from meshery_registry.domain.policies.documents import MAX_TEXT_CHARACTERS, PolicyDocument, Rule
from meshery_registry.domain.policies.programs import Context, ExpressionError, Program, compiled
from meshery_registry.domain.policies.trials import outcome_of
from meshery_registry.domain.policies.verdicts import NOBODY, Named, effective, heard

#: The largest value that a rule may propose, in bytes of JSON.
MAX_PROPOSAL_BYTES = 16 * 1024

_IN_COMPONENT = frozenset({"object", "pod", "containers", "component", "design", "params", "variables"})
_IN_DESIGN = frozenset({"objects", "byKind", "design", "params", "variables"})


class Design:
    """A design that several policies judge: read once. `cluster_scoped` are the kinds that are in no namespace."""

    def __init__(self, document: Mapping[str, Any], cluster_scoped: Kinds = frozenset()) -> None:
        self.document = document
        self.judged = judged_of(document, cluster_scoped)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What every rule may know of it."""
        return facts_of(self.document, self.judged)


@dataclass(frozen=True, slots=True)
class _RuleProgram:
    rule: Rule
    condition: Program
    message: Program | None
    value: Program | None


class Judge:
    """A compiled policy."""

    def __init__(self, document: PolicyDocument) -> None:
        """Compile every expression. Raises Invalid naming rule, place and reason of each that is wrong."""
        self.document = document
        known = _IN_COMPONENT if document.scope == "component" else _IN_DESIGN
        problems: list[FieldProblem] = []

        def program(path: str, expression: str) -> Program | None:
            try:
                return compiled(expression, known) if expression else None
            except ExpressionError as error:
                problems.append(FieldProblem(path=path, message=str(error)))
                return None

        self._variables = [
            (one.name, program(f"variables.{place}.expression ({one.name})", one.expression))
            for place, one in enumerate(document.variables)
        ]
        self._rules: list[_RuleProgram] = []
        for place, rule in enumerate(document.rules):
            where = f"rules.{place}"
            condition = program(f"{where}.expression ({rule.name})", rule.expression)
            message = program(f"{where}.messageExpression ({rule.name})", rule.message_expression)
            value = rule.proposal and program(
                f"{where}.proposal.valueExpression ({rule.name})", rule.proposal.value_expression
            )
            if condition is not None:
                self._rules.append(_RuleProgram(rule, condition, message, value or None))
        self._programs = [
            program
            for one in self._rules
            for program in (one.condition, one.message, one.value)
            if program is not None
        ]
        if problems:
            raise Invalid(
                f"Policy '{document.name}' does not compile at {problems[0].path}: {problems[0].message}.",
                code="policy_expression",
                fields=tuple(problems[:100]),
                remedy="Mend the named expressions; they are CEL.",
            )

    def findings(self, design: Design, named: Named) -> Iterator[Finding]:
        """What the rules have to say, by components in the order of the design, then by rules."""
        matched = [one for one in design.judged if matches(self.document.match, one)]
        params = self.document.params
        if self.document.scope == "component":
            for one in matched:
                pod = pod_of(one.object)
                values: dict[str, Any] = {
                    "object": one.object,
                    "pod": pod,
                    "containers": containers_of(pod),
                    "component": {
                        "id": str(one.component_id or ""),
                        "name": one.name,
                        "model": one.model,
                        "namespace": one.namespace,
                    },
                    "design": design.facts,
                    "params": params,
                }
                yield from self._spoken(values, one, named)
        else:
            values = {
                "objects": [one.object for one in matched],
                "byKind": by_kind(self.document.match, matched),
                "design": design.facts,
                "params": params,
            }
            yield from self._spoken(values, None, named)

    def tried(self) -> list[TestOutcome]:
        """Run the policy's own tests, as if it were enforced."""
        return [
            outcome_of(one, heard(self.findings(Design(one.design), NOBODY)).findings)
            for one in self.document.examples
        ]

    def _spoken(self, values: dict[str, Any], about: Judged | None, named: Named) -> Iterator[Finding]:
        """What each rule says of one component, or of the design."""
        failures = self._add_variables(values)
        context = Context(values, self._programs)
        for one in self._rules:
            try:
                holds = one.condition.value(context)
                if not isinstance(holds, bool):
                    raise ExpressionError(f"it gives {_kind_of(holds)}, and must give true or false")
            except ExpressionError as error:
                yield self._failed(one.rule, _because(str(error), failures), about, named)
                continue
            if not holds:
                yield self._finding(one, context, about, named)

    def _add_variables(self, values: dict[str, Any]) -> dict[str, str]:
        """Put the policy's own variables among the values, each seeing those before it; why some are missing."""
        variables: dict[str, Any] = {}
        failures: dict[str, str] = {}
        for name, program in self._variables:
            if program is None:
                continue
            try:
                variables[name] = program.value(Context({**values, "variables": variables}, [program]))
            except ExpressionError as error:
                failures[name] = str(error)
        values["variables"] = variables
        return failures

    def _finding(self, one: _RuleProgram, context: Context, about: Judged | None, named: Named) -> Finding:
        rule = one.rule
        proposal = None
        message = rule.message or f"This does not hold: {rule.expression}"
        if rule.proposal is not None and one.value is not None:
            try:
                value = _plain(one.value.value(context))
            except ExpressionError as error:
                return self._failed(rule, str(error), about, named)
            proposal = Proposal(path=rule.proposal.path, value=value, strategy=rule.proposal.strategy)
        if one.message is not None:
            try:
                told = one.message.value(context)
                message = told if isinstance(told, str) and told.strip() else message
            except ExpressionError:
                # As Kubernetes does: the rule's verdict stands, with the plain message.
                pass
        return _said(self.document, rule, named, about, effective(rule.action, named), message, proposal)

    def _failed(self, rule: Rule, reason: str, about: Judged | None, named: Named) -> Finding:
        """A rule that cannot be evaluated counts as one that does not hold, unless the policy says otherwise."""
        strict = self.document.failure_policy == "fail" and rule.action is Outcome.DENY
        outcome = effective(Outcome.DENY, named) if strict else Outcome.WARN
        message = f"The rule could not be evaluated: {reason}"
        return _said(self.document, rule, named, about, outcome, message, None, failed=True)


def _said(
    document: PolicyDocument,
    rule: Rule,
    named: Named,
    about: Judged | None,
    outcome: Outcome,
    message: str,
    proposal: Proposal | None,
    *,
    failed: bool = False,
) -> Finding:
    return Finding(
        policy_id=named.policy_id,
        policy_name=document.name,
        policy_version=named.version,
        rule=rule.name,
        action=rule.action,
        outcome=outcome,
        severity=rule.severity,
        component_id=about.component_id if about else None,
        component_name=about.name if about else "",
        kind=about.kind if about else "",
        path=rule.path,
        message=message[:MAX_TEXT_CHARACTERS],
        remedy=rule.remedy,
        proposal=proposal,
        failed=failed,
    )


def _because(reason: str, failures: Mapping[str, str]) -> str:
    """What was wrong with a variable, when a rule misses that one."""
    for name, failure in failures.items():
        if f"'{name}'" in reason:
            return f"variable {name!r}: {failure}"
    return reason


def _plain(value: Any) -> Any:
    """A proposed value as JSON has it. Raises ExpressionError."""
    try:
        text = orjson.dumps(value)
    except (TypeError, ValueError):
        raise ExpressionError(
            f"the proposed value is {_kind_of(value)}, which JSON has no place for"
        ) from None
    if len(text) > MAX_PROPOSAL_BYTES:
        raise ExpressionError(f"the proposed value has more than {MAX_PROPOSAL_BYTES:,} bytes")
    return orjson.loads(text)


def _kind_of(value: object) -> str:
    words = {"str": "a text", "int": "a number", "float": "a number", "list": "a list", "dict": "a mapping"}
    return words.get(type(value).__name__, "nothing" if value is None else "something else")
