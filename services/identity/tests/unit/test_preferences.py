"""Merging and checking preferences."""

from __future__ import annotations

import pytest

from meshery_contracts.errors import Invalid, TooLarge
from meshery_contracts.identity import Preferences
from meshery_identity.domain import preferences


def test_objects_merge_and_all_else_replaces() -> None:
    document = {"load_test_prefs": {"qps": 1, "t": "5s"}, "mesh_adapters": [{"a": 1}]}
    change = {"loadTestPrefs": {"qps": 2}, "meshAdapters": [], "anonymousUsageStats": True}
    assert preferences.merge(document, change) == {
        "load_test_prefs": {"qps": 2, "t": "5s"},
        "mesh_adapters": [],
        "anonymous_usage_stats": True,
    }
    assert document["load_test_prefs"] == {"qps": 1, "t": "5s"}


def test_null_takes_back() -> None:
    document = {"load_test_prefs": {"qps": 1, "t": "5s"}, "anonymous_usage_stats": True}
    change = {"load_test_prefs": {"qps": None}, "anonymousUsageStats": None, "unknown": None}
    assert preferences.merge(document, change) == {"load_test_prefs": {"t": "5s"}}


def test_a_reply_saved_back_changes_nothing() -> None:
    document = {"load_test_prefs": {"qps": 1}, "clientsOwn": {"someKey": 1}}
    reply = preferences.check(document).model_dump(mode="json")
    reply.pop("updated_at")
    reply.pop("updatedAt")
    again = preferences.check(preferences.merge(document, reply))
    assert again == preferences.check(document)
    assert again.model_extra == {"clientsOwn": {"someKey": 1}}


@pytest.mark.parametrize(
    "duration", ["0", "30s", "1m30s", "1.5h", ".5s", "1.s", "500ms", "10us", "10µs", "+5s", "1h2m3s4ms", ""]
)
def test_durations_of_go(duration: str) -> None:
    assert preferences.check({"load_test_prefs": {"t": duration}}).load_test_prefs == {"t": duration}


@pytest.mark.parametrize(
    "duration", ["5", "s", "-5s", "1d", "5 s", "1m 30s", ".s", "1e3s", "٣s", 5, None, True]
)
def test_no_durations(duration: object) -> None:
    with pytest.raises(Invalid) as caught:
        preferences.check({"load_test_prefs": {"t": duration}})
    assert caught.value.problem.fields[0].path == "loadTestPrefs.t"


@pytest.mark.parametrize("number", [-1, -0.5, "1", True, None, float("nan")])
def test_no_rates(number: object) -> None:
    for name in ("qps", "c"):
        with pytest.raises(Invalid):
            preferences.check({"load_test_prefs": {name: number}})


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        preferences.check({"load_test_prefs": {"qps": -1, "c": -1, "t": "x", "gen": "ab"}})
    assert len(caught.value.problem.fields) == 4


def test_limits_and_types() -> None:
    with pytest.raises(TooLarge):
        preferences.check({"x": "y" * preferences.MAX_BYTES})
    with pytest.raises(Invalid) as caught:
        preferences.check({"load_test_prefs": []})
    assert caught.value.problem.fields[0].path == "loadTestPrefs"
    assert preferences.check({}) == Preferences()
