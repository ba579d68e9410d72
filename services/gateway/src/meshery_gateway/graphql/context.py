"""What resolvers work with: who asks, how services are asked, and what one operation reads only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode

from meshery_common.bus import Bus
from meshery_common.idempotency import key_of_part
from meshery_contracts import connections, designs
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import FieldProblem, Invalid, NotFound, ProblemError
from meshery_contracts.messages import Message
from meshery_gateway.http.live import Live
from meshery_gateway.http.live_sessions import LiveSession

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

#: The most rows of one list: a field costs microseconds on the event loop, and everybody waits meanwhile.
MAX_PAGE_SIZE = 100
#: Requests that one operation has on the bus at a time.
_AT_ONCE = 8


class Context:
    """What belongs to one operation. A subscription keeps it for all its deliveries."""

    def __init__(self, bus: Bus, live: Live, session: LiveSession, *, idempotency_key: str = "") -> None:
        self._bus = bus
        self.live = live
        self.session = session
        self._idempotency_key = idempotency_key
        self._commands = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.forget()

    def forget(self) -> None:
        """Read anew what was read for the delivery before."""
        self.designs: Loader[UUID, designs.Design] = Loader(self._designs)
        self.connections: Loader[UUID, connections.Connection] = Loader(self._connections)

    async def ask(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT) -> ReplyT:
        """Ask a service as the person who sent the operation."""
        key = ""
        if endpoint.command and self._idempotency_key:
            # Root fields of a mutation run one after the other, so the n-th is the n-th in a repeat, too.
            self._commands += 1
            key = key_of_part(self._idempotency_key, str(self._commands))
        async with self._turns:
            return await self._bus.request(
                endpoint, request, assertion=self.session.assertion, idempotency_key=key
            )

    async def _designs(self, ids: Sequence[UUID]) -> Mapping[UUID, designs.Design | ProblemError]:
        return await self._each(ids, lambda one: self.ask(designs.GET, designs.GetDesign(design_id=one)))

    async def _connections(self, ids: Sequence[UUID]) -> Mapping[UUID, connections.Connection | ProblemError]:
        return await self._each(
            ids, lambda one: self.ask(connections.GET, connections.ConnectionId(connection_id=one))
        )

    async def _each(
        self, keys: Sequence[KeyT], fetch: Callable[[KeyT], Awaitable[ValueT]]
    ) -> Mapping[KeyT, ValueT | ProblemError]:
        """For what has no request for many at once: side by side, each once."""

        async def one(key: KeyT) -> ValueT | ProblemError:
            try:
                return await fetch(key)
            except ProblemError as error:
                return error

        return dict(zip(keys, await asyncio.gather(*(one(key) for key in keys)), strict=True))


class Loader(Generic[KeyT, ValueT]):
    """Things by key, each read once; keys that are asked for in one turn of the loop are read together."""

    def __init__(
        self, fetch: Callable[[Sequence[KeyT]], Awaitable[Mapping[KeyT, ValueT | ProblemError]]]
    ) -> None:
        self._fetch = fetch
        self._known: dict[KeyT, asyncio.Future[ValueT]] = {}
        self._wanted: list[KeyT] = []

    async def load(self, key: KeyT) -> ValueT:
        """The thing. Raises what reading it raised."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = asyncio.get_running_loop().create_future()
            self._wanted.append(key)
            if len(self._wanted) == 1:
                await self._read()
        return await asyncio.shield(known)

    async def load_or_none(self, key: KeyT) -> ValueT | None:
        """The thing, or None when it is gone or not for the caller."""
        try:
            return await self.load(key)
        except NotFound:
            return None

    async def _read(self) -> None:
        """Read what is wanted one turn later; nobody is left waiting, whatever happens."""
        keys: list[KeyT] = []
        try:
            await asyncio.sleep(0)
            keys, self._wanted = self._wanted, []
            found = await self._fetch(keys)
        except BaseException as error:
            for key in keys or self._wanted:
                future = self._known.pop(key)
                if isinstance(error, Exception):
                    _fail(future, error)
                else:
                    future.cancel()
            self._wanted = []
            raise
        for key in keys:
            value = found.get(key)
            if value is None:
                _fail(self._known[key], NotFound(f"There is no {key}."))
            elif isinstance(value, ProblemError):
                _fail(self._known[key], value)
            else:
                self._known[key].set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    future.set_exception(error)
    future.exception()  # looked at: perhaps nobody waits for it


#: What a resolver is told of its field.
Info = GraphQLResolveInfo[Context]


def page_of(page: int, page_size: int, **more: Any) -> dict[str, Any]:
    """The fields of a `PageRequest`; what is None is left out. Raises Invalid for too large a page."""
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise Invalid(
            f"pageSize must be between 1 and {MAX_PAGE_SIZE}.",
            code="page_too_large",
            fields=(FieldProblem(path="pageSize", message=f"is {page_size}"),),
            remedy="Ask for the next page, or use REST for a long list.",
        )
    given = {name: value for name, value in more.items() if value is not None}
    return {"page": page, "page_size": page_size, **given}


def wanted_fields(info: Info, *, depth: int = 3) -> set[str]:
    """The names of the fields that are asked for below this one, down to `depth`: what need not be read is not."""
    found: set[str] = set()

    def walk(selections: SelectionSetNode | None, left: int) -> None:
        if selections is None or left == 0:
            return
        for one in selections.selections:
            if isinstance(one, FieldNode):
                found.add(one.name.value)
                walk(one.selection_set, left - 1)
            elif isinstance(one, FragmentSpreadNode):
                walk(info.fragments[one.name.value].selection_set, left)
            elif isinstance(one, InlineFragmentNode):
                walk(one.selection_set, left)

    for node in info.field_nodes:
        walk(node.selection_set, depth)
    return found
