"""What policies say of designs: outcomes, places, proposals, and rules that fail themselves."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_contracts.errors import Invalid
from meshery_contracts.policies import Enforcement, Finding, Outcome
from meshery_registry.domain.policies.documents import design_of, read_document
from meshery_registry.domain.policies.judging import Design, Judge
from meshery_registry.domain.policies.trials import hindrance
from meshery_registry.domain.policies.verdicts import Named, heard, report_of, strongest

ENFORCED = Named(UUID(int=7), 3, Enforcement.ENFORCE)


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": None},
        "spec": {
            "replicas": 3,
            "template": {"spec": {"containers": [{"name": "c", "image": "a:1"}]}},
            **spec,
        },
    }


def policy(*rules: dict[str, Any], **fields: Any) -> Judge:
    named = [{"name": f"rule-{place}", "action": "deny", **one} for place, one in enumerate(rules)]
    return Judge(read_document({"name": "mine", "rules": named, **fields}))


def said(judge: Judge, *objects: dict[str, Any], named: Named = ENFORCED) -> list[Finding]:
    return list(judge.findings(Design(design_of(objects)), named))


def test_a_rule_says_what_must_hold() -> None:
    judge = policy({"expression": "object.spec.replicas <= 5", "remedy": "Fewer.", "severity": "high"})
    assert said(judge, deployment()) == []
    (finding,) = said(judge, deployment(), deployment("big", replicas=9))
    assert (finding.policy_id, finding.policy_name, finding.policy_version) == (UUID(int=7), "mine", 3)
    assert (finding.rule, finding.action, finding.outcome) == ("rule-0", Outcome.DENY, Outcome.DENY)
    assert (finding.component_name, finding.kind, finding.severity) == ("big", "Deployment", "high")
    assert (finding.message, finding.remedy) == (
        "This does not hold: object.spec.replicas <= 5",
        "Fewer.",
    )
    (dry,) = said(judge, deployment(replicas=9), named=Named(UUID(int=7), 3, Enforcement.WARN))
    assert (dry.action, dry.outcome) == (Outcome.DENY, Outcome.WARN)


def test_order_is_that_of_components_then_of_rules() -> None:
    judge = policy({"expression": "false"}, {"expression": "false", "action": "warn"})
    found = said(judge, deployment("b"), deployment("a"))
    assert [(one.component_name, one.rule) for one in found] == [
        ("b", "rule-0"),
        ("b", "rule-1"),
        ("a", "rule-0"),
        ("a", "rule-1"),
    ]
    assert strongest(found) is Outcome.DENY
    assert strongest([]) is Outcome.PASS


def test_messages_variables_and_parameters() -> None:
    judge = policy(
        {
            "expression": "variables.names.all(n, n in params.allowed)",
            "messageExpression": "'containers ' + variables.names.join(', ') + ' of ' + component.name",
        },
        params={"allowed": ["d"]},
        variables=[
            {"name": "containers", "expression": "object.spec.template.spec.containers"},
            {"name": "names", "expression": "variables.containers.map(c, c.name)"},
        ],
    )
    assert [one.message for one in said(judge, deployment())] == ["containers c of web"]


def test_a_proposal_is_a_value_and_its_place() -> None:
    judge = policy(
        {
            "expression": "has(object.metadata.labels.team)",
            "action": "mutate",
            "proposal": {
                "path": "metadata.labels",
                "strategy": "merge",
                "valueExpression": "{'team': object.metadata.name, 'size': object.spec.replicas + 1}",
            },
        }
    )
    (finding,) = said(judge, deployment())
    assert finding.outcome is Outcome.MUTATE
    assert finding.proposal is not None
    assert (finding.proposal.path, finding.proposal.strategy) == ("metadata.labels", "merge")
    assert finding.proposal.value == {"team": "web", "size": 4}
    (failed,) = said(
        policy(
            {
                "expression": "false",
                "action": "mutate",
                "proposal": {"path": "a", "valueExpression": "b'raw'"},
            }
        ),
        deployment(),
    )
    assert (failed.outcome, failed.failed) == (Outcome.WARN, True)


@pytest.mark.parametrize(
    ("match", "names"),
    [
        ({"kinds": ["Deployment"]}, ["web", "db"]),
        ({"kinds": ["Config*"]}, ["settings"]),
        ({"apiVersions": ["apps/*"]}, ["web", "db"]),
        ({"namespaces": ["shop"]}, ["db"]),
        ({"excludeNamespaces": ["sh*"]}, ["web", "settings"]),
        ({"labels": {"app": "web"}}, ["web"]),
        ({}, ["web", "db", "settings"]),
    ],
)
def test_match(match: dict[str, Any], names: list[str]) -> None:
    db = deployment("db")
    db["metadata"]["namespace"] = "shop"
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    judge = policy({"expression": "false"}, match=match)
    assert [one.component_name for one in said(judge, deployment(), db, settings)] == names


def test_a_rule_over_the_whole_design() -> None:
    judge = policy(
        {
            "expression": "byKind.Deployment.all(d, byKind.PodDisruptionBudget.exists(p, "
            "p.spec.selector.matchLabels == d.metadata.labels)) && objects.size() < 3",
            "message": "Every Deployment needs a PodDisruptionBudget.",
        },
        {"expression": "design.kinds.Deployment < 2 && design.size == 1", "action": "warn"},
        scope="design",
        match={"kinds": ["Deployment", "PodDisruptionBudget", "Config*"]},
    )
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    }
    assert [one.rule for one in said(judge, deployment(), budget)] == ["rule-1"]
    (alone,) = said(judge, deployment())
    assert (alone.component_id, alone.component_name) == (None, "")


def test_a_rule_that_cannot_be_evaluated_counts_as_one_that_does_not_hold() -> None:
    broken = {"expression": "object.spec.nope == 1"}
    (strict,) = said(policy(broken), deployment())
    assert (strict.outcome, strict.failed) == (Outcome.DENY, True)
    assert strict.message == "The rule could not be evaluated: there is no key 'nope' (ask has() first)"
    (loose,) = said(policy(broken, failurePolicy="ignore"), deployment())
    assert (loose.outcome, loose.failed) == (Outcome.WARN, True)
    (warned,) = said(policy({**broken, "action": "warn"}), deployment())
    assert warned.outcome is Outcome.WARN
    for expression, reason in [
        ("object.spec.replicas", "it gives a number, and must give true or false"),
        ("object.spec.replicas > 'a'", "its values are of types that do not go together"),
        ("object.spec.template.spec.containers[7].name == ''", "index out of bounds: 7"),
        ("object.metadata.name.matches('[')", "not a valid regex"),
        ("quantity(object.metadata.name) > 1.0", "this is no quantity such as 500m or 1Gi"),
        ("1 / 0 == 1", "division by zero"),
        ("variables.x == 1", "variable 'x': there is no key 'nope'"),
    ]:
        judge = policy({"expression": expression}, variables=[{"name": "x", "expression": "object.nope"}])
        (finding,) = said(judge, deployment())
        assert reason in finding.message, expression
    (plain,) = said(
        policy({"expression": "false", "message": "No.", "messageExpression": "object.nope"}), deployment()
    )
    assert (plain.message, plain.failed) == ("No.", False)


def test_errors_name_rule_place_and_reason() -> None:
    with pytest.raises(Invalid) as caught:
        policy(
            {"expression": "object.spec. == 1"},
            {"expression": "obj.spec == 1", "messageExpression": "'a"},
            {"expression": "object.spec.all(x)"},
            {"expression": "frobnicate(1)"},
            {"expression": "false", "action": "mutate", "proposal": {"path": "a", "valueExpression": "1 +"}},
            {"expression": "(" * 1500 + "true" + ")" * 1500},
            variables=[{"name": "v", "expression": "["}],
        )
    problem = caught.value.problem
    assert problem.code == "policy_expression"
    messages = {one.path: one.message for one in problem.fields}
    assert messages.pop("rules.5.expression (rule-5)")
    assert messages == {
        "variables.0.expression (v)": "line 1, column 2: mismatched input '<EOF>' something is missing",
        "rules.0.expression (rule-0)": "line 1, column 14: no viable alternative at input '. =='",
        "rules.1.expression (rule-1)": "there is no variable 'obj'; there are component, containers, design, object, "
        "params, pod, variables",
        "rules.1.messageExpression (rule-1)": "line 1, column 1: token recognition error at: ''a'",
        "rules.2.expression (rule-2)": "there is no function 'all' (a macro such as all() needs a variable and a "
        "condition)",
        "rules.3.expression (rule-3)": "there is no function 'frobnicate' (a macro such as all() needs a variable and "
        "a condition)",
        "rules.4.proposal.valueExpression (rule-4)": "line 1, column 4: mismatched input '<EOF>' something is missing",
    }


def test_pods_and_their_containers_are_found_in_every_workload() -> None:
    pod = {"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}
    judge = policy(
        {"expression": "containers.map(c, c.name) == ['a', 'b'] && size(pod.containers) == 1"},
        {"expression": "containers == [] && !has(pod.containers)"},
    )
    for spec, kind in [
        (pod, "Pod"),
        ({"template": {"spec": pod}}, "Rollout"),
        ({"jobTemplate": {"spec": {"template": {"spec": pod}}}}, "CronJob"),
    ]:
        found = said(judge, {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
        assert [one.rule for one in found] == ["rule-1"], kind
    for spec in ({}, {"template": 1}, {"template": {"spec": {"containers": "x"}}}, []):
        found = said(judge, {"apiVersion": "v1", "kind": "Odd", "metadata": {"name": "x"}, "spec": spec})
        assert [one.rule for one in found][:1] == ["rule-0"], spec


def test_secrets_are_hidden_from_every_expression() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "login",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "a": "b"},
        },
        "data": {"password": "hunter2"},
        "stringData": "hunter2",
    }
    judge = policy(
        {"expression": "false", "messageExpression": "object.data.password + object.metadata.annotations.a"},
        {"expression": "object.data.password + 1 == 2"},
        {"expression": "'password' in object.data && !has(object.data.other)"},
        {"expression": "false", "action": "mutate", "proposal": {"path": "x", "valueExpression": "object"}},
    )
    found = said(judge, secret)
    assert [one.rule for one in found] == ["rule-0", "rule-1", "rule-3"]
    assert found[0].message == "(hidden)b"
    assert "hunter2" not in str(found)
    assert "hunter2" not in str(
        said(
            policy({"expression": "false", "messageExpression": "objects[0].stringData"}, scope="design"),
            secret,
        )
    )


def test_what_stands_for_nothing_in_a_cluster_is_not_judged() -> None:
    design = design_of([deployment(), deployment("note"), deployment("off")])
    design["components"][1]["metadata"] = {"isAnnotation": True}
    design["components"][2]["status"] = "ignored"
    judge = policy({"expression": "false"})
    assert [one.component_name for one in judge.findings(Design(design), ENFORCED)] == ["web"]
    with pytest.raises(Invalid):
        Design({"components": "x"})


def test_a_design_does_not_say_for_itself_what_is_in_no_namespace() -> None:
    """A cluster puts a Deployment into its namespace whatever the design claims, and a ClusterRole into none."""
    role: dict[str, Any] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    hidden, odd = deployment(), deployment("odd")
    hidden["metadata"]["namespace"] = "prod"
    odd["metadata"]["namespace"] = ["prod"]  # no name: it goes to `default`
    role["metadata"] = {"name": "r", "namespace": "prod"}
    design = design_of([hidden, odd, role])
    for one in design["components"]:
        one["metadata"] = {"isNamespaced": one["component"]["kind"] == "ClusterRole"}
    known = frozenset({("rbac.authorization.k8s.io/v1", "ClusterRole")})
    for match, names in (
        ({"namespaces": ["prod"]}, ["web"]),
        ({"namespaces": ["default"]}, ["odd"]),
        ({"excludeNamespaces": ["prod"]}, ["odd", "r"]),
    ):
        judge = policy({"expression": "false"}, match=match)
        found = judge.findings(Design(design, known), ENFORCED)
        assert [one.component_name for one in found] == names


def test_quantities_and_texts() -> None:
    for expression in [
        "quantity('1Gi') > quantity('1000M')",
        "quantity('500m').isLessThan(quantity(1))",
        "quantity('2e3').isGreaterThan(quantity('1.5k'))",
        "'Web'.lowerAscii() == 'web' && 'a,b'.split(',').size() == 2",
        "object.metadata.name.startsWith('w') && type(object.spec.replicas) == int",
        "!has(object.metadata.annotations)",
        "[3, 1].max() == 3 && ['a', 'b'].join('-') == 'a-b'",
    ]:
        assert said(policy({"expression": expression}), deployment()) == [], expression


@given(st.text(max_size=60))
def test_no_text_breaks_the_compiler(text: str) -> None:
    with suppress(Invalid):
        said(policy({"expression": text, "name": "any"}), deployment())


def test_a_policy_s_own_tests() -> None:
    tests = [
        {"name": "few", "object": deployment(), "expect": "pass"},
        {"name": "many", "object": deployment(replicas=9), "expect": "deny", "rules": ["rule-0"]},
    ]
    rule = {"expression": "object.spec.replicas <= 5"}
    outcomes = policy(rule, tests=tests).tried()
    assert [one.passed for one in outcomes] == [True, True]
    assert hindrance(outcomes) == ""
    assert "no test that shows what it denies" in hindrance(policy(rule, tests=tests[:1]).tried())
    assert "no test that shows what passes" in hindrance(policy(rule, tests=tests[1:]).tried())
    assert "no test" in hindrance([])
    wrong = policy(rule, tests=[{**tests[0], "expect": "warn"}, {**tests[1], "rules": ["other"]}]).tried()
    assert [one.message for one in wrong] == [
        "expected warn, but it is pass",
        "expected the rules other to speak, but it was rule-0",
    ]
    assert hindrance(wrong) == "2 of its 2 tests fail, first 'few': expected warn, but it is pass"


def test_a_report_has_the_strongest_first_and_fits_into_an_answer() -> None:
    judge = policy({"expression": "false", "action": "warn"}, {"expression": "object.metadata.name != 'b'"})
    found = said(judge, deployment("a"), deployment("b"))
    report = report_of(found, 1)
    assert [(one.component_name, one.rule) for one in report.findings] == [
        ("b", "rule-1"),
        ("a", "rule-0"),
        ("b", "rule-0"),
    ]
    assert (report.allowed, report.policies, report.omitted) == (False, 1, 0)
    long = said(policy({"expression": "false", "message": "x" * 1000}), *(deployment() for _ in range(500)))
    bounded = report_of(long * 4, 1)
    assert (len(bounded.findings) + bounded.omitted, bounded.allowed) == (2000, False)
    assert len(bounded.model_dump_json()) < 1_200_000


def test_many_warnings_do_not_hide_the_refusal_after_them() -> None:
    judge = policy(
        {"expression": "false", "action": "warn"}, {"expression": "object.metadata.name != 'last'"}
    )
    found = heard(
        judge.findings(Design(design_of([*(deployment() for _ in range(600)), deployment("last")])), ENFORCED)
    )
    assert (len(found.findings), found.omitted) == (501, 101)
    report = report_of(found.findings, 1, omitted=found.omitted)
    assert (report.allowed, report.findings[0].component_name, report.omitted) == (False, "last", 101)
