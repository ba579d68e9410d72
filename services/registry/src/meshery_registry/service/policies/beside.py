"""What runs in the process beside us: reading, compiling and evaluating what people wrote.

The evaluator is loaded there and never here: it takes half a second and 30 MB. Programs and designs are kept, so that
a design that ten policies judge is read once. Whoever asks sets the limits of time and memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from meshery_common.documents import read_documents
from meshery_contracts.errors import Invalid
from meshery_contracts.policies import TestOutcome
from meshery_registry.domain.policies.designs import Kinds
from meshery_registry.domain.policies.documents import PolicyDocument, read_document
from meshery_registry.domain.policies.verdicts import Heard, Named, heard

if TYPE_CHECKING:
    from meshery_registry.domain.policies.judging import Design, Judge


def ready() -> None:
    """Load the evaluator: not a policy's fault that it takes a moment."""
    from meshery_registry.domain.policies import judging  # noqa: F401 - see above


def document_in(text: str) -> dict[str, Any]:
    """The one mapping that a YAML or JSON text holds. Raises Invalid."""
    documents = read_documents(text)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise Invalid(
            "A policy is one document, a mapping.",
            code="policy_documents",
            remedy="Save each policy by itself; `docs/guides/policies.md` shows a whole one.",
        )
    return documents[0]


def tried(document: bytes) -> list[TestOutcome]:
    """Compile a policy (JSON) and run its tests. Raises Invalid naming rule, place and reason."""
    return _judge(document).tried()


def judged(document: bytes, named: Named, design: str, cluster_scoped: Kinds) -> Heard:
    """What a policy (JSON) says of a design (JSON). Raises Invalid when it is no design."""
    return heard(_judge(document).findings(_design(design, cluster_scoped), named))


@lru_cache(maxsize=500)
def _judge(document: bytes) -> Judge:
    from meshery_registry.domain.policies.judging import Judge

    return Judge(_read(orjson.loads(document)))


def _read(document: Mapping[str, Any]) -> PolicyDocument:
    return read_document(dict(document))


@lru_cache(maxsize=2)
def _design(text: str, cluster_scoped: Kinds) -> Design:
    from meshery_registry.domain.policies.judging import Design

    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Invalid("The design is no JSON mapping.", code="design_shape", remedy="Send a design file.")
    return Design(document, cluster_scoped)
