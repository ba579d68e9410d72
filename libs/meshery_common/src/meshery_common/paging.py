"""Lists a page at a time: by cursor inside, by 0-based page number at Meshery's edge.

A cursor says after which row to go on, so that a page costs the same however deep it is, and rows that come or go
in between shift nothing. Conditions and orders are made of texts written in a store; what a person asked for
is only ever bound as a parameter or looked up in a map.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, LiteralString, Self, TypedDict
from uuid import UUID

import orjson
from pydantic.alias_generators import to_snake

from meshery_common.database.transaction import Queries, Row
from meshery_contracts.errors import Invalid
from meshery_contracts.paging import PageRequest

#: The types that a sort column may have, and how each is read back from a cursor's JSON.
_READERS: Final[dict[type, Callable[[Any], Any]]] = {
    datetime: lambda value: datetime.fromisoformat(value),
    UUID: lambda value: UUID(value),
    str: lambda value: _exactly(value, str),
    int: lambda value: _exactly(value, int),
    float: lambda value: float(_exactly(value, (int, float))),
}


@dataclass(frozen=True)
class Sort:
    """Something a list can be sorted by: an SQL expression that is never null, and the type of its values."""

    sql: LiteralString
    type: type[datetime] | type[UUID] | type[str] | type[int] | type[float] = datetime


@dataclass(frozen=True)
class OrderBy:
    """The orders that one list offers.

    `columns` maps names (snake_case) to sorts; `default` is an order such as `updated_at desc`; `id_sql` is the
    unique column that settles ties.
    """

    columns: Mapping[str, Sort]
    default: str
    id_sql: LiteralString

    def __post_init__(self) -> None:
        if self._parse(self.default) is None:
            raise ValueError(f"{self.default!r} names no column of {sorted(self.columns)}")

    def chosen(self, wish: str) -> tuple[str, bool]:
        """Column and whether descending, for a wish such as `updatedAt desc`; the default when it means nothing."""
        parsed = self._parse(wish) or self._parse(self.default)
        assert parsed is not None  # noqa: S101 - checked when constructed
        return parsed

    def _parse(self, order: str) -> tuple[str, bool] | None:
        words = order.split()
        if not words or len(words) > 2 or to_snake(words[0]) not in self.columns:
            return None
        direction = words[1].lower() if len(words) == 2 else "asc"
        if direction not in ("asc", "desc"):
            return None
        return to_snake(words[0]), direction == "desc"


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition with `{}` for each of its values, in order."""

    sql: LiteralString
    values: tuple[Any, ...] = ()

    def numbered(self, first: int) -> tuple[LiteralString, tuple[Any, ...]]:
        """The condition with `$first` and on for its values, for a statement written by hand, and the values."""
        return _numbered(self.sql, len(self.values), first), self.values


class Envelope(TypedDict):
    """The fields of `PageReply`."""

    page: int
    page_size: int
    total_count: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """What one request for a part of a list gave."""

    rows: Sequence[Row]
    page: int
    page_size: int
    total_count: int
    next_cursor: str | None

    @property
    def envelope(self) -> Envelope:
        """All but the rows, for the reply: `DesignPage(**page.envelope, patterns=[…])`."""
        return {
            "page": self.page,
            "page_size": self.page_size,
            "total_count": self.total_count,
            "next_cursor": self.next_cursor,
        }


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where the next page begins. `total` is counted once, on the first page."""

    column: str
    descending: bool
    value: Any
    id: UUID
    page: int
    total: int


class SelectBuilder:
    """`select <columns> from <source> where …`, with what a person asked for as parameters.

    The list's name binds cursors to it: one of another list is refused.
    """

    def __init__(self, name: str, columns: LiteralString, source: LiteralString) -> None:
        self._name = name
        self._columns = columns
        self._source = source
        self._conditions: list[str] = []
        self._values: list[Any] = []

    def where(self, condition: LiteralString | Predicate, *values: Any) -> Self:
        """Add a condition; all must hold. `{}` stands for each value: `where("d.name ilike {}", contains(text))`.

        Raises ValueError when places and values differ in number.
        """
        if isinstance(condition, Predicate):
            return self.where(condition.sql, *condition.values)
        parts = condition.split("{}")
        if len(parts) != len(values) + 1:
            raise ValueError(f"{len(values)} values for {len(parts) - 1} places in {condition!r}")
        sql = parts[0]
        for value, part in zip(values, parts[1:], strict=True):
            sql += self._bind(value) + part
        self._conditions.append(f"({sql})")
        return self

    async def page(self, queries: Queries, order: OrderBy, request: PageRequest) -> Page:
        """Run it for one page. Raises Invalid on a cursor that is not of this list and order."""
        cursor = _decoded(request.cursor, self._name, order) if request.cursor else None
        column, descending = (cursor.column, cursor.descending) if cursor else order.chosen(request.order)
        sort = order.columns[column]
        filters = list(self._conditions)
        values = list(self._values)
        total = "null::bigint"
        offset = ""
        if cursor is None:
            # In the same round trip; evaluated once, not per row.
            total = f"(select count(*) from {self._source}{_where(filters)})"  # noqa: S608 - see below
            offset = f" offset {int(request.page) * int(request.page_size)}"
        else:
            sign = "<" if descending else ">"
            values += [cursor.value, cursor.id]
            filters.append(f"({sort.sql}, {order.id_sql}) {sign} (${len(values) - 1}, ${len(values)})")
        direction = "desc" if descending else "asc"
        rows = await queries.fetch(
            # Texts of the store and numbers of ours; everything else is bound.
            f"select {self._columns}, {sort.sql} as cursor_value, {order.id_sql} as cursor_id, "  # noqa: S608
            f"{total} as cursor_total from {self._source}{_where(filters)} "
            f"order by {sort.sql} {direction}, {order.id_sql} {direction} "
            f"limit {int(request.page_size) + 1}{offset}",
            *values,
        )
        if cursor is not None:
            total_count, page = cursor.total, cursor.page
        else:
            page = request.page
            total_count = rows[0]["cursor_total"] if rows else await self._count_beyond(queries, page)
        more = len(rows) > request.page_size
        rows = rows[: request.page_size]
        next_cursor = None
        if more:
            last = rows[-1]
            following = _Cursor(
                column, descending, last["cursor_value"], last["cursor_id"], page + 1, total_count
            )
            next_cursor = _encoded(following, self._name)
        return Page(rows, page, request.page_size, total_count, next_cursor)

    async def counts(
        self, queries: Queries, facets: Mapping[str, LiteralString]
    ) -> dict[str, dict[str, int]]:
        """How many rows there are of each value of some text expressions, most first, in one pass."""
        if not facets:
            return {}
        names = list(facets)
        values = ", ".join(f"({sql})::text as v{place}" for place, sql in enumerate(facets.values()))
        columns = ", ".join(f"v{place}" for place in range(len(names)))
        sets = ", ".join(f"(v{place})" for place in range(len(names)))
        rows = await queries.fetch(
            f"select {columns}, grouping({columns}) as told, count(*) as count from "  # noqa: S608 - see page
            f"(select {values} from {self._source}{_where(self._conditions)}) counted "
            f"group by grouping sets ({sets}) order by count desc, {columns}",
            *self._values,
        )
        counted: dict[str, dict[str, int]] = {name: {} for name in names}
        everything = (1 << len(names)) - 1
        for row in rows:
            # `grouping` has a 0 where the row is a group of that expression, the first one in the highest bit.
            place = len(names) - (everything & ~row["told"]).bit_length()
            counted[names[place]][row[place] or ""] = row["count"]
        return counted

    async def _count_beyond(self, queries: Queries, page: int) -> int:
        """The number of rows when a page has none: on the first page 0, after the end it must be asked for."""
        if page == 0:
            return 0
        sql = f"select count(*) from {self._source}{_where(self._conditions)}"  # noqa: S608 - see page
        return int(await queries.fetchval(sql, *self._values))

    def _bind(self, value: Any) -> str:
        self._values.append(value)
        return f"${len(self._values)}"


@lru_cache(maxsize=1000)
def _numbered(sql: LiteralString, count: int, first: int) -> LiteralString:
    places: tuple[LiteralString, ...] = tuple(f"${number}" for number in range(first, first + count))
    return sql.format(*places)


def contains(text: str) -> str:
    """The LIKE pattern for texts that contain this one; its wildcards stand for themselves."""
    return f"%{escaped_like(text)}%"


def escaped_like(text: str) -> str:
    """A text without meaning inside a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _where(conditions: Sequence[str]) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""


def _encoded(cursor: _Cursor, name: str) -> str:
    payload = orjson.dumps(
        [cursor.column, cursor.descending, cursor.value, cursor.id, cursor.page, cursor.total]
    )
    return base64.urlsafe_b64encode(_checksum(payload, name) + payload).decode().rstrip("=")


def _decoded(text: str, name: str, order: OrderBy) -> _Cursor:
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        checksum, payload = data[:8], data[8:]
        if checksum != _checksum(payload, name):
            raise ValueError("not a cursor of this list")
        column, descending, value, id_, page, total = orjson.loads(payload)
        sort = order.columns[_exactly(column, str)]
        return _Cursor(
            column=column,
            descending=_exactly(descending, bool),
            value=_READERS[sort.type](value),
            id=UUID(id_),
            page=_exactly(page, int),
            total=_exactly(total, int),
        )
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        raise Invalid(
            "The cursor is not one that this list gave out.",
            code="cursor_invalid",
            cause="It was changed, cut off, or belongs to another list or an older release.",
            remedy="Begin again without a cursor.",
        ) from None


def _checksum(payload: bytes, name: str) -> bytes:
    # Against mistakes, not against attackers: a cursor grants nothing, its values are bound like any others.
    return hashlib.blake2b(payload, digest_size=8, key=name.encode()[:64]).digest()


def _exactly(value: Any, types: type | tuple[type, ...]) -> Any:
    if not isinstance(value, types) or (types is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {types}")
    return value
