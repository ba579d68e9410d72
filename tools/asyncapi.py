"""One AsyncAPI 3.0.0 document per service, from its contract.

What AsyncAPI has no word for stands in extensions: permission keys, error words, commands, streams.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from meshery_common.bus.headers import Header
from meshery_contracts.catalogue import Contract
from meshery_contracts.endpoints import COMMON_ERRORS, Endpoint, Public, ServicesOnly, Topic
from meshery_contracts.errors import STATUS, Problem
from meshery_contracts.messages import Message

_SCHEMAS = "#/components/schemas/"
_MESSAGES = "#/components/messages/"
_HEADERS = {
    Header.CALLER: "Who asks: an assertion signed by identity.",
    Header.CALL: "`timeout=<ms>;deadline=<ms since the epoch>;request=<id>;take=<bytes>`, each part optional: how "
    "long the caller waits, when it stops waiting, the id of the request in logs and errors, and the largest reply "
    "that it fetches in parts.",
    Header.BODY: "`subject=<where>;size=<bytes>;part=<bytes>;sha256=<hexadecimal>`: the body is larger than a message "
    "and fetched in parts. A reply has the same header.",
    Header.IDEMPOTENCY_KEY: "Of a command: a repeat with the same key gets the first answer.",
    Header.TRACEPARENT: "W3C trace context.",
}
_PROBLEM_HEADERS = {
    Header.ERROR: "The error word; absent on success.",
    Header.SERVICE_ERROR: "What is wrong, in one sentence.",
    Header.SERVICE_ERROR_CODE: "The number beside the word.",
}
_EVENT_HEADERS = {Header.MESSAGE_ID: "Names the event; a repeat bears the same."}


def document_of(contract: Contract) -> dict[str, Any]:
    """The whole document; equal contracts give equal documents."""
    names, schemas = _schemas(contract)
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {"Problem": _message(names[Problem], _PROBLEM_HEADERS, "Any error.")}
    for endpoint in contract.endpoints:
        _add_endpoint(endpoint, names, channels, operations, messages)
    for topic in contract.topics:
        _add_topic(topic, names, channels, operations, messages)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Meshery {contract.service}",
            "version": "1.0.0",
            "description": f"What the service {contract.service} answers and announces over NATS.",
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "localhost:4222", "protocol": "nats", "description": "The bus."}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": dict(sorted(messages.items())), "schemas": schemas},
    }


def _schemas(contract: Contract) -> tuple[dict[type[BaseModel], str], dict[str, Any]]:
    """The name of every message's schema, and all schemas."""
    models: set[type[BaseModel]] = {Problem}
    for endpoint in contract.endpoints:
        models |= {endpoint.request, endpoint.reply}
    models |= {topic.event for topic in contract.topics}
    ordered = sorted(models, key=lambda model: (model.__name__, model.__module__))
    # Validation mode throughout: a PublicMessage writes both spellings, and that is no second schema.
    references, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=f"{_SCHEMAS}{{model}}"
    )
    names = {model: references[model, "validation"]["$ref"].removeprefix(_SCHEMAS) for model in ordered}
    return names, dict(sorted(definitions["$defs"].items()))


def _message(schema: str, headers: dict[str, str], summary: str = "") -> dict[str, Any]:
    properties = {name: {"type": "string", "description": text} for name, text in headers.items()}
    message: dict[str, Any] = {"name": schema}
    if summary:
        message["summary"] = summary
    if properties:
        message["headers"] = {"type": "object", "properties": properties}
    return {**message, "payload": {"$ref": f"{_SCHEMAS}{schema}"}}


def _first_line(model: type[Message]) -> str:
    return (model.__doc__ or "").strip().split("\n", maxsplit=1)[0]


def _add_endpoint(
    endpoint: Endpoint[Message, Message],
    names: dict[type[BaseModel], str],
    channels: dict[str, Any],
    operations: dict[str, Any],
    messages: dict[str, Any],
) -> None:
    name = _identifier(endpoint.subject)
    asked, answered = names[endpoint.request], names[endpoint.reply]
    # The same model may be a request here and a reply there: only requests have these headers.
    messages[f"{asked}.request"] = _message(asked, _HEADERS, _first_line(endpoint.request))
    messages.setdefault(f"{answered}.reply", _message(answered, {}, _first_line(endpoint.reply)))
    channels[name] = {
        "address": endpoint.subject,
        "messages": {"request": {"$ref": f"{_MESSAGES}{asked}.request"}},
    }
    channels[f"{name}.reply"] = {
        "address": None,
        "messages": {
            "reply": {"$ref": f"{_MESSAGES}{answered}.reply"},
            "problem": {"$ref": f"{_MESSAGES}Problem"},
        },
    }
    errors = sorted(endpoint.errors | COMMON_ERRORS)
    operations[name] = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        **({"summary": endpoint.summary} if endpoint.summary else {}),
        "bindings": {"nats": {"queue": endpoint.service}},
        "messages": [{"$ref": f"#/channels/{name}/messages/request"}],
        "reply": {
            "address": {"location": "$message.header#/replyTo"},
            "channel": {"$ref": f"#/channels/{name}.reply"},
        },
        **_permission(endpoint),
        "x-command": endpoint.command,
        "x-large-requests": endpoint.large_requests,
        "x-errors": [{"word": str(word), "status": STATUS[word]} for word in errors],
        "x-timeout-seconds": endpoint.timeout_seconds,
    }


def _permission(endpoint: Endpoint[Message, Message]) -> dict[str, Any]:
    extensions: dict[str, Any] = {}
    key = endpoint.required_key
    if key is not None:
        extensions["x-permission-key"] = {
            "id": str(key.id),
            "category": key.category,
            "function": key.function,
        }
    if isinstance(endpoint.key, Public):
        extensions["x-public"] = endpoint.key.reason
    if isinstance(endpoint.key, ServicesOnly):
        extensions["x-services-only"] = {
            "services": list(endpoint.key.services),
            "reason": endpoint.key.reason,
        }
    return extensions


def _add_topic(
    topic: Topic[Message],
    names: dict[type[BaseModel], str],
    channels: dict[str, Any],
    operations: dict[str, Any],
    messages: dict[str, Any],
) -> None:
    name = _identifier(topic.wildcard("", ""))
    event = names[topic.event]
    messages[f"{event}.event"] = _message(event, _EVENT_HEADERS, _first_line(topic.event))
    channels[name] = {
        "address": topic.subject,
        "messages": {"event": {"$ref": f"{_MESSAGES}{event}.event"}},
        "parameters": {
            "organization_id": {"description": "The organisation it happened in."},
            "id": {"description": "The thing it happened to."},
        },
    }
    operations[name] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        **({"summary": topic.summary} if topic.summary else {}),
        "messages": [{"$ref": f"#/channels/{name}/messages/event"}],
        **({"x-jetstream-stream": topic.stream} if topic.durable else {"x-best-effort": True}),
    }


def _identifier(subject: str) -> str:
    """`rpc.v1.get_design` of `meshery.rpc.designs.v1.get_design`: unique inside one document."""
    _, kind, _service, *rest = subject.split(".")
    return ".".join([kind, *(part for part in rest if part)])
