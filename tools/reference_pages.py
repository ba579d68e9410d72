"""Pages and README blocks for people: every subject, every setting."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from meshery_contracts.catalogue import Contract
from meshery_contracts.endpoints import Endpoint, Public, ServicesOnly
from meshery_contracts.messages import Message
from workspace import Member

BLOCK = re.compile(r"(<!-- generated:(\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


@dataclass(frozen=True)
class Setting:
    """One environment variable."""

    variable: str
    kind: str
    default: str
    description: str


def subjects_table(contract: Contract) -> str:
    """Endpoints and topics of one service as Markdown."""
    rows = [
        (f"`{one.subject}`", _permission(one), _yes(one.command), _yes(one.large_requests), one.summary)
        for one in contract.endpoints
    ]
    parts = []
    if rows:
        parts.append(table(("Subject", "Permission key", "Command", "Large requests", "Summary"), rows))
    if contract.topics:
        facts = [
            (f"`{one.subject}`", one.stream if one.durable else "", one.summary) for one in contract.topics
        ]
        parts.append(table(("Announces", "Stream", "Summary"), facts))
    return "\n".join(parts) or "None.\n"


def _yes(it: bool) -> str:
    return "yes" if it else ""


def settings_table(member: Member) -> str:
    """The settings of one member as Markdown; an empty text when it has none."""
    tables = []
    for settings in _settings_classes(member):
        rows = [
            (f"`{one.variable}`", one.kind, one.default, one.description)
            for one in _settings(settings, str(settings.model_config.get("env_prefix", "")))
        ]
        tables.append(table(("Variable", "Type", "Default", "Meaning"), rows))
    return "\n".join(tables)


def with_blocks(text: str, blocks: dict[str, str]) -> str:
    """The text with what stands between its markers replaced. Raises KeyError for an unknown block."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match[2]]}\n{match[3]}", text)


def _permission(endpoint: Endpoint[Message, Message]) -> str:
    words = []
    if endpoint.required_key is not None:
        words.append(endpoint.required_key.function)
    if isinstance(endpoint.key, Public):
        words.append(f"open to everybody: {endpoint.key.reason}")
    if isinstance(endpoint.key, ServicesOnly):
        words.append(f"only {', '.join(endpoint.key.services)}: {endpoint.key.reason}")
    return "; ".join(words)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _settings_classes(member: Member) -> list[type[BaseSettings]]:
    if not (member.code / "settings.py").is_file() and not (member.code / "settings").is_dir():
        return []
    module = importlib.import_module(f"{member.package}.settings")
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseSettings)
    ]
    # Base classes without a prefix are no settings of anybody.
    return sorted(
        {
            one
            for one in own
            if one.__module__.startswith(member.package) and one.model_config.get("env_prefix")
        },
        key=lambda one: one.__name__,
    )


def _settings(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    """Every field as an environment variable, nested models flattened with two underscores."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        nested = _nested(field.annotation)
        if nested is not None:
            yield from _settings(nested, f"{variable}__")
        else:
            yield Setting(variable, _kind(field), _default(field), field.description or "")


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The model behind `Model` or `Model | None`."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _kind(field: FieldInfo) -> str:
    limits = []
    for word, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        limits += [f"{sign} {getattr(rule, word)}" for rule in field.metadata if hasattr(rule, word)]
    return " ".join([_type_name(field.annotation), *limits])


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return _type_name(get_args(annotation)[0])
    if annotation is type(None):
        return "unset"
    if isinstance(annotation, type) and not get_args(annotation):
        return "secret" if issubclass(annotation, SecretStr) else annotation.__name__
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if isinstance(origin, type) and origin.__module__ == "builtins":
        return f"{origin.__name__} (JSON)"
    return " or ".join(
        _type_name(one) if isinstance(one, type) or get_origin(one) else f"`{one}`" for one in arguments
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        # What it gives may depend on the machine, and this page must not.
        empty = field.default_factory in {list, dict, tuple, set, frozenset}
        return "empty" if empty else "computed"
    value = field.default
    if value is None:
        return "unset"
    if isinstance(value, SecretStr):
        return "a secret" if value.get_secret_value() else "unset"
    if isinstance(value, Path) and value.is_relative_to(Path.home()):
        return f"`~/{value.relative_to(Path.home()).as_posix()}`"
    if isinstance(value, (str, bool, int, float)):
        return f"`{json.dumps(value, ensure_ascii=False)}`"
    return f"`{value}`"
