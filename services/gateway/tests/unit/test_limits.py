"""What documents may cost, and how they are remembered."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLObjectType, build_schema, get_introspection_query

from meshery_gateway.graphql import limits
from meshery_gateway.graphql.limits import Documents
from meshery_gateway.graphql.schema import executable

SCHEMA = build_schema("""
type Query { things(pageSize: Int! = 25): ThingPage! free: [Thing!]! fetch(selector: Filter!): ThingPage! }
type ThingPage { totalCount: Int! things: [Thing!]! }
type Thing { name: String! parent: Thing things(pageSize: Int! = 25): ThingPage! }
input Filter { pageSize: String! }
""")


def documents(**values: int) -> Documents:
    return Documents(SCHEMA, **{"max_depth": 8, "max_cost": 1_000_000, **values})


def cost(text: str, **variables: Any) -> int:
    """What an operation is held to cost."""
    known = documents(max_cost=-1)
    document = known.read(text)
    assert document.errors == ()
    with pytest.raises(GraphQLError) as refused:
        known.check_cost(document, document.operation(None), variables)
    return int(refused.value.message.split("cost ")[1].split(";")[0].replace(",", ""))


def code_of(text: str, **values: int) -> str:
    """The code of the first error of a document."""
    try:
        (error, *_) = documents(**values).read(text).errors
    except GraphQLError as refused:
        error = refused
    assert error.extensions is not None
    return str(error.extensions.get("code", ""))


def test_a_text_is_parsed_and_validated_once() -> None:
    known = documents()
    assert known.read("{ __typename }") is known.read("{ __typename }")
    assert known.read("{ __typename } ") is not known.read("{ __typename }")
    assert (known.hits, known.misses) == (2, 2)
    assert known.read("{ nothing }").errors
    assert known.read("{ nothing }") is known.read("{ nothing }")


def test_the_documents_used_least_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CACHED_DOCUMENTS", 2)
    known = documents()
    first = known.read("{ a: __typename }")
    known.read("{ b: __typename }")
    assert known.read("{ a: __typename }") is first
    known.read("{ c: __typename }")
    assert known.read("{ a: __typename }") is first
    assert known.misses == 3
    known.read("{ b: __typename }")
    assert known.misses == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ things { totalCount } }", 11 + 25),
        ("{ things(pageSize: 5) { totalCount things { name } } }", 11 + 5 * 3),
        ('{ fetch(selector: {pageSize: "7"}) { things { name } } }', 11 + 7 * 2),
        ("{ free { name } }", 11 + 10),
        ("{ things(pageSize: 2) { things { things(pageSize: 3) { totalCount } } } }", 11 + 2 * (1 + 1 + 3)),
        ("{ ...F } fragment F on Query { things(pageSize: 5) { ...G } } fragment G on ThingPage { totalCount }",
         11 + 5),
        ("{ ... on Query { free { __typename } } }", 11 + 10),
    ],
)  # fmt: skip
def test_sizes_of_lists_multiply(text: str, expected: int) -> None:
    assert cost(text) == expected


def test_fields_that_ask_a_service_are_weighed_as_requests() -> None:
    schema = executable()
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    below = [
        one for one in schema.type_map.values() if isinstance(one, GraphQLObjectType) and one not in roots
    ]
    asking = {
        f"{one.name}.{name}"
        for one in below
        for name, field in one.fields.items()
        if iscoroutinefunction(field.resolve)
    }
    assert asking == limits.ASKING


def test_sizes_may_come_in_variables() -> None:
    text = "query ($n: Int! = 50) { things(pageSize: $n) { totalCount } }"
    assert cost(text) == 11 + 50
    assert cost(text, n=3) == 11 + 3
    text = "query ($s: Filter!) { fetch(selector: $s) { totalCount } }"
    assert cost(text, s={"pageSize": "30"}) == 11 + 30
    assert cost(text, s={"pageSize": "all"}) == 11 + 100
    assert cost(text, s="nonsense") == 11 + 1  # refused when it runs


def test_nested_fragments_are_weighed_in_no_time() -> None:
    fragments = " ".join(
        f"fragment F{i} on Thing {{ parent {{ ...F{i + 1} }} p: parent {{ ...F{i + 1} }} }}"
        for i in range(14)
    )
    text = f"{{ free {{ ...F0 }} }} {fragments} fragment F14 on Thing {{ name }}"
    assert cost_of_deep(text) > 2**14


def cost_of_deep(text: str) -> int:
    """As `cost`, for a document that is too deep to be let through."""
    known = Documents(SCHEMA, max_depth=100, max_cost=1)
    document = known.read(text)
    with pytest.raises(GraphQLError) as refused:
        known.check_cost(document, document.operation(None), {})
    return int(refused.value.message.split("cost ")[1].split(";")[0].replace(",", ""))


def test_width_and_depth() -> None:
    deep = "{ free { " + "parent { " * 8 + "name" + " }" * 8 + " } }"
    assert code_of(deep) == "too_many_levels"
    inside = "fragment F on Thing { " + "parent { " * 7 + "name" + " }" * 8
    assert code_of("{ free { parent { ...F } } } " + inside) == "too_many_levels"
    aliases = " ".join(f"a{i}: name" for i in range(31))
    assert code_of(f"{{ free {{ {aliases} }} }}") == "too_many_aliases"
    roots = " ".join(f"r{i}: free {{ name }}" for i in range(11))
    assert code_of(f"{{ ...F }} fragment F on Query {{ {roots} }}") == "too_many_root_fields"
    directives = " ".join(f"... @include(if: true) {{ n{i}: name }}" for i in range(21))
    assert code_of(f"{{ free {{ {directives} }} }}") == "too_many_directives"


def test_documents_have_an_end() -> None:
    assert code_of("{ free { name } } #" + "x" * limits.MAX_DOCUMENT_BYTES) == "document_too_large"
    with pytest.raises(GraphQLError):
        documents().read("{ free { " + "name " * limits.MAX_TOKENS + "} }")


def test_introspection_of_honest_tools_passes() -> None:
    known = Documents(executable(), max_depth=12, max_cost=20_000)
    text = get_introspection_query(descriptions=True)
    document = known.read(text)
    assert document.errors == ()
    known.check_cost(document, document.operation(None), {})
    nested = "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"
    assert known.read(nested).errors
