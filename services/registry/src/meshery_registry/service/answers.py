"""Answers that are kept as the bytes they were sent as: lists are asked for far more often than they change.

An answer belongs to one organisation, one question and one generation of what that organisation sees; the generation
is read with every question, so an answer is never older than it. What must not be in here: who may ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from meshery_common.context import answer_bytes
from meshery_common.encoding import Encoded, encode
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.messages import Message

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)

#: One answer takes no more than this part of all.
_LARGEST_PART = 8


class KeptAnswers:
    """The answers given last, up to so many bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, UUID, int, int, str], bytes] = OrderedDict()

    async def answer(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        request: RequestT,
        organization_id: UUID,
        generation: int,
        make: Callable[[], Awaitable[ReplyT]],
    ) -> Encoded[ReplyT]:
        """The kept answer, or the one that `make` gives, which is kept from now on."""
        # Who takes more is given more.
        key = (endpoint.subject, organization_id, generation, answer_bytes(), request.model_dump_json())
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return Encoded(kept)
        payload = encode(await make())
        if len(payload) * _LARGEST_PART <= self._max_bytes and key not in self._kept:
            self._kept[key] = payload
            self._bytes += len(payload)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return Encoded(payload)
