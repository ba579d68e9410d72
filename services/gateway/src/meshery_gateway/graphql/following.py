"""Subscriptions of our own: deliveries that count and say when something may have been missed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from ariadne import SchemaBindable
from graphql import GraphQLSchema

from meshery_contracts.endpoints import Topic
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_gateway.graphql.context import Info

T = TypeVar("T")
Told = dict[str, Any]


class HandedOn(SchemaBindable):
    """What a source yields is the value of its subscription field, unless the area has a resolver of its own."""

    def bind_to_schema(self, schema: GraphQLSchema) -> None:
        """Give every field of `Subscription` that has none a resolver."""
        assert schema.subscription_type is not None  # noqa: S101 -- our schema has one
        for field in schema.subscription_type.fields.values():
            field.resolve = field.resolve or _hand_on


def _hand_on(told: T, _: Info, **__: Any) -> T:
    return told


async def deliveries(
    info: Info, key: Key, *topics: Topic[Any], tell: Callable[[Message], Told]
) -> AsyncGenerator[Told, None]:
    """What happens on these topics, each as `tell` has it. What a delivery names is read anew for it."""
    context = info.context
    with context.live.follow(context.session, key, *topics) as following:
        async for delivery in following:
            context.forget()
            told = tell(delivery.happened.event) if delivery.happened else {}
            yield {**told, "sequence": delivery.sequence, "resync": delivery.resync}


async def progress(
    info: Info,
    key: Key,
    *topics: Topic[Any],
    read: Callable[[], Awaitable[Told]],
    tell: Callable[[Message], Told | None],
    far: Callable[[Told], tuple[int, ...]],
    over: Callable[[Told], bool],
) -> AsyncGenerator[Told, None]:
    """Something from where it stands to its end: read at once and after a gap, in between told step by step.

    `tell` gives None for what is about something else. Facts come a moment later than what is read: those that are
    less far (`far` compares) than what was told already are left out. Whoever may not read it is refused here.
    """
    context = info.context
    with context.live.follow(context.session, key, *topics) as following:
        sequence = 1
        told = await read()
        yield {**told, "sequence": sequence, "resync": False}
        while not over(told):
            delivery = await anext(following, None)
            if delivery is None:
                return
            if delivery.happened is None:
                told = await read()
            elif (news := tell(delivery.happened.event)) is not None and far(news) >= far(told):
                told = news
            else:
                continue
            sequence += 1
            context.forget()
            yield {**told, "sequence": sequence, "resync": delivery.resync}
