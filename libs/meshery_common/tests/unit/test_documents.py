"""Text to documents, and what hostile text may not do."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from meshery_common.documents import MAX_DEPTH, check_values, read_documents, write_documents
from meshery_contracts.errors import Invalid


def refused(text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read_documents(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a: 1", [{"a": 1}]),
        ('{"a": 1}', [{"a": 1}]),
        (' \n{"a": [1, 2]}', [{"a": [1, 2]}]),
        ('{"a" : "{\\"b\\": {\\"b\\": 1}}"}', [{"a": '{"b": {"b": 1}}'}]),
        ("{a: 1}", [{"a": 1}]),
        ("[a, b]", [["a", "b"]]),
        ("\ufeffa: 1", [{"a": 1}]),
        ('\ufeff{"a": 1}', [{"a": 1}]),
        ("---\na: 1\n---\n\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("# a comment only\n---\na: 1", [{"a": 1}]),
        ("a: &x {b: 1}\nc: *x", [{"a": {"b": 1}, "c": {"b": 1}}]),
        ("a: &x {b: 1, c: 1}\nd: {<<: *x, c: 2}", [{"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}}]),
        ("a: &x {b: 1}\nd: {<<: [{b: 5}, *x]}", [{"a": {"b": 1}, "d": {"b": 5}}]),
        ("a: &x {b: 1}\nc: &y {<<: *x, b: 2}\nd: {<<: *y}", [{"a": {"b": 1}, "c": {"b": 2}, "d": {"b": 2}}]),
        ("a: 1\r\nb: 2\r\n", [{"a": 1, "b": 2}]),
    ],
)
def test_documents_are_read(text: str, documents: list[Any]) -> None:
    assert read_documents(text) == documents


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("22:22", "22:22"),
        ("1:30:00.5", "1:30:00.5"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("1e3", "1e3"),
        ("0644", 0o644),
        ("0x1F", 31),
        ("-7", -7),
        (".5", 0.5),
        ("1.5e+3", 1500.0),
        ("on", True),
        ("No", False),
        ("~", None),
        ("", None),
        ('"5"', "5"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(scalar: str, value: Any) -> None:
    assert read_documents(f"a: {scalar}") == [{"a": value}]


@pytest.mark.parametrize("text", ["", "  \n\t", "\ufeff", "---\n---\n", "# nothing\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert refused(text).problem.code == "document_empty"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [1, 2", "line 2, column 1"),
        ("a: 1\n b: 2", "line 2, column 3"),
        ("a: !!python/object/apply:os.system [id]", "line 1, column 4"),
        ("a: *nobody", "line 1, column 4"),
        ("? [a]\n: b", "line 1, column 3"),
        ("<<: 3", "line 1, column 5"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, where: str) -> None:
    problem = refused(text).problem
    assert (problem.code, problem.fields[0].path) == ("document_unreadable", where)


@pytest.mark.parametrize(
    ("text", "where", "path"),
    [
        ("a: 1\nb: 2\na: 3", "in line 1 and in line 3", "line 3, column 1"),
        ("- b: {a: 1, c: {}, 'a': 2}", "in line 1 and in line 1", "line 1, column 20"),
        ("a: 1\n---\nb:\n  a: 1\n  a: 1", "in line 4 and in line 5", "line 5, column 3"),
        ("b: {<<: {c: 1}, a: 1, a: 2}", "in line 1 and in line 1", "line 1, column 23"),
        ("b: {<<: {a: 1, a: 2}}", "in line 1 and in line 1", "line 1, column 16"),
        ('{"a": 1, "a": 1}', "at a", "a"),
        ('{"b": [{}, {"c": {"a": 1, "d": 2, "a": 3}}]}', "at b.1.c.a", "b.1.c.a"),
        ('{"a": {"b": 1, "b": 2}, "a": 3}', "at a", "a"),
        ('[{"a": 1}, {"a": 1, "\\u0061": 2}]', "at 1.a", "1.a"),
        ('{"b": {"a" : 1, "a":2}}', "at b.a", "b.a"),
        ('{"c": "{\\"d\\": 1}", "a": 1, "a": 1}', "at a", "a"),
    ],
)
def test_a_key_that_stands_twice_is_refused_for_one_of_its_values_would_be_lost(
    text: str, where: str, path: str
) -> None:
    problem = refused(text).problem
    assert problem.title == f"The file has the key 'a' twice: {where}."
    assert (problem.code, problem.fields[0].path) == ("document_key_twice", path)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b": ', "}")])
def test_a_deep_value_that_a_second_key_hides_is_refused(opening: str, closing: str) -> None:
    """What is left of the text is flat: only the search for keys that stand twice meets the depth."""
    deep = opening * 1000 + "1" + closing * 1000
    assert refused(f'{{"a": {deep}, "a": 1}}').problem.code == "document_too_deep"


@pytest.mark.parametrize("text", ["a: \x01", "a: !!int x", "a: !!bool perhaps", "%YAML 9.9\n---\na: 1"])
def test_what_cannot_be_read_is_refused_without_a_place_as_well(text: str) -> None:
    assert refused(text).problem.code == "document_unreadable"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1: a", "document_key"),
        ("{true: a}", "document_key"),
        ("a: .nan", "document_value"),
        ("a: -.inf", "document_value"),
        ("a: 99999999999999999999", "document_value"),
        ("a: !!binary aGVsbG8=", "document_value"),
        ("a: !!set {b}", "document_value"),
        ("a: !!timestamp 2026-11-23", "document_value"),
        ('a: "b\\0"', "document_value"),
        ('"b\\0": a', "document_value"),
        ('{"a": "\\u0000"}', "document_value"),
    ],
)
def test_what_json_or_postgresql_cannot_hold_is_refused(text: str, code: str) -> None:
    assert refused(text).problem.code == code


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, "[" * 5_000 + "]" * 5_000, "{a: " * 5_000, "- " * 5_000),
        *('{"a":' * depth + "1" + "}" * depth for depth in (200, 1_020)),
    ],
    ids=["open brackets", "brackets", "braces", "dashes", "json", "deepest json"],
)
def test_deep_nesting_is_refused_before_it_can_end_the_process(text: str) -> None:
    assert refused(text).problem.code == "document_too_deep"


def test_the_deepest_nesting_that_is_allowed() -> None:
    deep = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert read_documents(f"{deep}")


def aliases(levels: int, width: int) -> str:
    lines = [f"k0: &k0 [{','.join(['x'] * width)}]"]
    lines += [f"k{n}: &k{n} [{','.join([f'*k{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int, width: int) -> str:
    lines = ["k0: &k0 {a: 1}"]
    lines += [f"k{n}: &k{n} {{<<: [{','.join([f'*k{n - 1}'] * width)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        aliases(levels=9, width=9),
        aliases(levels=3, width=2000),
        "&a [*a, *a]",
        "a: &a {"
        + ",".join(f"k{n}: 1" for n in range(2000))
        + "}\nb: {<<: ["
        + ",".join(["*a"] * 2000)
        + "]}",
    ],
    ids=["laughs", "wide laughs", "itself", "merges"],
)
def test_files_that_blow_up_are_refused(text: str) -> None:
    assert refused(text).problem.code == "document_too_large"


def test_merges_of_merges_hold_each_key_once() -> None:
    assert read_documents(merges(levels=12, width=10))[0]["k11"] == {"a": 1}


def test_a_list_that_holds_itself_is_refused() -> None:
    assert refused("&a [*a]").problem.code == "document_too_deep"


def test_values_of_a_request_are_held_to_the_same_rules() -> None:
    check_values([{"a": [1, "b", None, True, 1.5]}], "The change")
    with pytest.raises(Invalid, match="The change holds a value of the type date"):
        check_values([{"a": date(2026, 11, 23)}], "The change")


@pytest.mark.parametrize(
    "text",
    [
        "1e3",
        "12E-4",
        "1.e5",
        ".5e1",
        "1e5_0",
        "08",
        "-09",
        "+08.5",
        "0_8",
        "-_1",
        "+.5",
        "-.5",
        "0X1F",
        "0B11",
        "y",
        "N",
        "0o17",
        "yes",
        "Off",
        "22:22",
        "2026-11-23",
        "=",
        "<<",
        "~",
        "null",
        "0x1f",
        "1_000",
        "1.5",
        ".inf",
    ],
)
def test_texts_that_others_take_for_something_else_are_written_in_quotes(text: str) -> None:
    """A commit such as 12e3 is a number to Kubernetes."""
    written = write_documents([{"a": text}])
    assert written == f"a: '{text}'\n"
    assert read_documents(written) == [{"a": text}]


@pytest.mark.parametrize(
    "text", ["1" * 200_000, "1e" + "_" * 200_000, "-" + "_" * 200_000, "0" + "_" * 200_000]
)
def test_a_long_text_that_begins_as_a_number_is_written_at_once(text: str) -> None:
    """Looking for its end again from each of its digits would take minutes."""
    assert write_documents([{"a": text + "x"}]).split() == ["a:", text + "x"]


@pytest.mark.parametrize(
    "value",
    ["", " a ", "a: b", "- x", "#", "é\u2028", "two\nlines\n", 1, 1.5, 1e300, True, None, [], {}, {"b": [1]}],
)
def test_what_is_written_is_read_as_it_was(value: object) -> None:
    assert read_documents(write_documents([{"z": value, "a": 1}, {"c": value}])) == [
        {"z": value, "a": 1},
        {"c": value},
    ]
    assert write_documents([{"z": 1, "a": 2}]) == "z: 1\na: 2\n"
