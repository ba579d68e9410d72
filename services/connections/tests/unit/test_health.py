"""Health does not flap, and facts tell what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from meshery_connections.domain.connections import Health, HealthJudge, HealthWord, health_fact, status_fact
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_contracts.messages import Severity

W = HealthWord
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONNECTION = Connection(
    id=UUID(int=1),
    name="prod",
    kind="kubernetes",
    status=ConnectionStatus.CONNECTED,
    user_id=UUID(int=2),
    organization_id=UUID(int=3),
    created_at=NOW,
    updated_at=NOW,
)


def shown(*words: HealthWord, patience: int = 3) -> list[tuple[bool, HealthWord] | None]:
    judge = HealthJudge(Health(True, W.ANSWERS), patience)
    return [(news.reachable, news.word) if (news := judge.judge(word)) else None for word in words]


def test_it_takes_some_failures_in_a_row_to_be_unreachable_and_one_answer_to_be_back() -> None:
    failing = [W.TIMEOUT, W.UNREACHABLE, W.UNREACHABLE, W.UNREACHABLE]
    assert shown(*failing) == [None, None, (False, W.UNREACHABLE), None]
    assert shown(*failing, W.ANSWERS, W.ANSWERS)[-2:] == [(True, W.ANSWERS), None]


def test_single_failures_between_answers_change_nothing() -> None:
    assert shown(*[W.TIMEOUT, W.TIMEOUT, W.ANSWERS] * 5) == [None] * 15


def test_another_reason_is_shown_but_is_no_coming_or_going() -> None:
    found = shown(W.UNREACHABLE, W.UNREACHABLE, W.UNREACHABLE, W.UNAUTHORIZED)
    assert found[2:] == [(False, W.UNREACHABLE), (False, W.UNAUTHORIZED)]


def test_a_fact_of_health_keeps_the_status() -> None:
    fact = health_fact(CONNECTION, Health(False, W.TIMEOUT), NOW)
    assert (fact.status, fact.previous) == (ConnectionStatus.CONNECTED, ConnectionStatus.CONNECTED)
    assert (fact.action, fact.severity) == ("unreachable", Severity.WARNING)


@pytest.mark.parametrize("status", list(ConnectionStatus))
def test_every_status_has_a_sentence(status: ConnectionStatus) -> None:
    moved = CONNECTION.model_copy(update={"status": status})
    fact = status_fact(moved, None, NOW, user_id=None)
    assert fact.description.startswith("Connection 'prod' ")
    assert fact.status is status


def test_a_renewed_connection_is_an_update() -> None:
    fact = status_fact(CONNECTION, ConnectionStatus.CONNECTED, NOW, user_id=UUID(int=2), actor="designs")
    assert (fact.action, fact.actor) == ("update", "designs")
