"""The policies that ship with us, as entities of a model. They are in force nowhere until somebody copies one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable

import yaml

from meshery_registry.domain.entities import PolicyEntity
from meshery_registry.domain.policies.documents import read_document


def read_policies(files: Iterable[Traversable]) -> tuple[PolicyEntity, ...]:
    """The policies of YAML files. Raises Invalid when one is not valid."""
    return tuple(_policy(one.read_text(encoding="utf-8")) for one in files)


def _policy(text: str) -> PolicyEntity:
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    return PolicyEntity(name=read_document(document).name, language="cel", source=text, definition=document)
