"""Rules that hold over all contracts together, and the documents that are generated from them."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import asyncapi
import generate
import meshery_contracts
from meshery_contracts.catalogue import contracts
from meshery_contracts.endpoints import Endpoint, Public, ServicesOnly, Topic, contract_of
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message
from meshery_contracts.wiring import WIRING, services
from workspace import ROOT

VALIDATOR = jsonschema_rs.Draft7Validator(
    json.loads((Path(__file__).parent / "fixtures/asyncapi-3.0.0.json").read_text())
)
ENDPOINTS = [one for contract in contracts().values() for one in contract.endpoints]
TOPICS = [one for contract in contracts().values() for one in contract.topics]
KNOWN = {name.replace("-", "_") for name in services()}


def declared() -> list[Endpoint[Message, Message] | Topic[Message]]:
    """Every declaration, repeats included."""
    found: list[Endpoint[Message, Message] | Topic[Message]] = []
    for module in pkgutil.walk_packages(meshery_contracts.__path__, "meshery_contracts."):
        endpoints, topics = contract_of(importlib.import_module(module.name))
        found += [*endpoints, *topics]
    return found


def test_every_subject_is_declared_once() -> None:
    # A package of contracts shows a value again that one of its modules declares: the same value is no repeat.
    different = {(one.subject, id(one)) for one in declared()}
    repeats = [
        subject for subject, count in Counter(subject for subject, _ in different).items() if count > 1
    ]
    assert repeats == []


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.subject)
def test_an_endpoint_says_who_may_call_it(endpoint: Endpoint[Message, Message]) -> None:
    assert isinstance(endpoint.key, (Key, Public, ServicesOnly))
    if isinstance(endpoint.key, (Public, ServicesOnly)):
        assert endpoint.key.reason
    assert endpoint.service in KNOWN, "the service is missing in meshery_contracts/wiring.py"
    assert endpoint.summary, "say in a line what it does"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.subject)
def test_services_that_an_endpoint_is_open_to_are_wired_to_it(endpoint: Endpoint[Message, Message]) -> None:
    if isinstance(endpoint.key, ServicesOnly):
        for caller in endpoint.key.services:
            assert endpoint.service in WIRING[caller].calls, f"add it to calls of {caller} in wiring.py"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda one: one.subject)
def test_a_durable_topic_carries_a_fact(topic: Topic[Message]) -> None:
    assert topic.service in KNOWN, "the service is missing in meshery_contracts/wiring.py"
    assert WIRING[topic.service.replace("_", "-")].announces
    assert topic.summary, "say in a line what happened, or in the event's own words"
    if topic.durable:
        assert issubclass(topic.event, Fact), "events shows every fact to people: derive it from Fact"


def test_the_table_names_services_that_exist() -> None:
    for name, wiring in WIRING.items():
        assert {*wiring.calls, *wiring.consumes, *wiring.watches} <= set(services()), name
        assert name not in wiring.calls, f"{name} calls itself"


@pytest.mark.parametrize("service", list(contracts()))
def test_the_document_is_asyncapi_3(service: str) -> None:
    document = asyncapi.document_of(contracts()[service])
    assert _errors(document) == []
    for operation in document["operations"].values():
        if operation["action"] == "receive":
            reply = operation["reply"]["channel"]["$ref"].removeprefix("#/channels/")
            assert document["channels"][reply]["address"] is None
            assert operation["bindings"]["nats"]["queue"] == service
    for reference in _references(document):
        _resolve(document, reference)


def test_the_official_schema_refuses_a_wrong_document() -> None:
    document = asyncapi.document_of(contracts()["designs"])
    next(iter(document["operations"].values()))["action"] = "answer"
    assert _errors(document)


def test_generated_files_are_current() -> None:
    old = [str(path.relative_to(ROOT)) for path in generate.stale(generate.documents())]
    assert old == [], f"stale; mend: {generate.COMMAND}"


def test_the_same_code_gives_the_same_documents(tmp_path: Path) -> None:
    script = "import generate, sys; sys.stdout.write(repr(sorted(generate.documents().items())))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "tools")},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def _errors(document: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for one in value.values() for found in _references(one)]
    if isinstance(value, list):
        return [found for one in value for found in _references(one)]
    return []


def _resolve(document: dict[str, Any], reference: str) -> None:
    here: Any = document
    for part in reference.removeprefix("#/").split("/"):
        assert part in here, f"{reference} leads nowhere"
        here = here[part]
