"""A command that is sent twice is done once.

The key of a command is written in the command's own transaction together with its answer, so either both the
change and the answer are there, or neither. What must not be in here: reading a request or sending a reply; the
bus does both, and turns `Repeated` into the stored answer.
"""

from __future__ import annotations

from typing import TypeVar

from meshery_common.context import RequestContext
from meshery_common.database.errors import Contended
from meshery_common.database.pool import Connection
from meshery_common.database.scope import Scope
from meshery_common.database.transaction import Queries, Transaction
from meshery_common.encoding import encode
from meshery_common.idempotency import MAX_KEY_LENGTH, Repeated
from meshery_contracts.errors import Conflict, DeadlineExceeded, Invalid
from meshery_contracts.messages import Message

AnswerT = TypeVar("AnswerT", bound=Message)


class Command(Transaction):
    """The transaction of a command. Call `answer` with the reply before the block ends."""

    def __init__(self, connection: Connection, scope: Scope, request: RequestContext | None) -> None:
        super().__init__(connection, scope)
        self._request = request if request is not None and request.idempotency_key else None
        self._answered = False

    async def claim(self) -> None:
        """Claim the key of the request; another request with it waits here for this one's end.

        Raises Repeated when the command was done, Conflict (`idempotency_key_reused`) when the key belongs to
        another command of the same person, Contended when the other one is still at it after the lock timeout.
        """
        request = self._request
        if request is None:
            return
        claimed = await self.execute(
            """
            insert into idempotency_keys (user_id, organization_id, key, fingerprint)
            values ($1, $2, $3, $4) on conflict do nothing
            """,
            request.caller.user_id,
            request.caller.organization_id,
            request.idempotency_key,
            request.fingerprint,
        )
        if claimed:
            return
        await recall(self, request)
        # Purged between the two statements.
        raise Contended("The idempotency key has just run out.", code="idempotency_key_expired")

    async def answer(self, model: AnswerT) -> AnswerT:
        """Keep the reply for repeats, and give it back."""
        if self._request is not None:
            caller = self._request.caller
            await self.execute(
                """
                update idempotency_keys set answer = $4
                where user_id = $1 and organization_id = $2 and key = $3
                """,
                caller.user_id,
                caller.organization_id,
                self._request.idempotency_key,
                encode(model),
            )
        self._answered = True
        return model

    def check_answered(self) -> None:
        """Raise RuntimeError when the block ends without `answer` although a repeat would need it."""
        if self._request is not None and not self._answered:
            raise RuntimeError("a command must call tx.answer(reply) before its transaction ends")


async def recall(queries: Queries, request: RequestContext) -> None:
    """Raise Repeated when the command of this request was done, Conflict when its key belongs to another one."""
    known = await queries.fetchrow(
        "select fingerprint, answer from idempotency_keys where user_id = $1 and organization_id = $2 and key = $3",
        request.caller.user_id,
        request.caller.organization_id,
        request.idempotency_key,
    )
    if known is None:
        return
    if known["fingerprint"] != request.fingerprint:
        raise Conflict(
            "The idempotency key was used for another request.",
            code="idempotency_key_reused",
            cause="A client sent one key with two different requests.",
            remedy="Make a new key for every command, and keep it only for repeating that very command.",
        )
    raise Repeated(known["answer"])


def check_key(request: RequestContext | None) -> None:
    """Raise Invalid when the key of the request cannot be stored."""
    if request is not None and len(request.idempotency_key) > MAX_KEY_LENGTH:
        raise Invalid(
            f"The idempotency key is longer than {MAX_KEY_LENGTH} characters.", code="idempotency_key_invalid"
        )


def check_patience(request: RequestContext | None) -> None:
    """Raise DeadlineExceeded when the caller has stopped waiting for the command before it."""
    if request is not None and request.remaining_seconds <= 0:
        raise DeadlineExceeded(
            "The same command is still being done.",
            code="command_in_progress",
            remedy="Send it again with the same idempotency key to get its answer.",
        )
