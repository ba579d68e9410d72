"""A load of design changes by careful clients, and what each of them was told.

A careful client sends a change with a key and, until it is answered, sends it again with the same key. So at the end
it knows exactly what must be stored. One that gives up does not know; then what is stored tells.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

#: What may be sent again: it says that nothing was done, or that nobody knows.
_AGAIN = {429, 503, 504}


class GaveUp(Exception):
    """Nobody knows whether it was done."""


@dataclass
class Known:
    """A design as its maker knows it."""

    id: str
    name: str
    version: int = 1
    colour: str = ""
    deleted: bool = False


@dataclass
class History:
    """What all clients saw."""

    #: Answers by status and code, connection errors by name.
    seen: Counter[str] = field(default_factory=Counter)
    #: What nobody should ever see, with the request.
    wrong: list[str] = field(default_factory=list)
    acknowledged: int = 0
    #: Names of creations that were given up.
    unknown: list[str] = field(default_factory=list)
    #: Seconds of the longest wait for one change.
    longest: float = 0.0


class Customer:
    """One client, working on its own designs, one request after the other."""

    def __init__(self, number: int, seed: int, url: str, history: History) -> None:
        self._number = number
        self._chance = random.Random(f"customer {number} {seed}")
        self._url = url
        self._history = history
        self._count = 0
        self.designs: list[Known] = []

    async def work(self, until: asyncio.Event, http: aiohttp.ClientSession) -> None:
        """Change designs until told to stop; the change that was begun is seen through."""
        while not until.is_set():
            living = [one for one in self.designs if not one.deleted]
            deed = self._chance.choices(("create", "update", "read", "delete"), (3, 6, 3, 1))[0]
            if deed == "create" or not living:
                await self._create(http)
            elif deed == "update":
                await self._update(http, self._chance.choice(living))
            elif deed == "read":
                await self.read(http, self._chance.choice(living))
            else:
                await self._delete(http, self._chance.choice(living))
            await asyncio.sleep(self._chance.uniform(0.0, 0.1))

    async def read(self, http: aiohttp.ClientSession, known: Known) -> None:
        """What was acknowledged must be there, exactly."""
        expected = 404 if known.deleted else 200
        found = await self._until_answered(http, "GET", f"/api/pattern/{known.id}", expected=expected)
        if known.deleted:
            return
        colour = _colour(found)
        if (found["version"], colour) != (known.version, known.colour):
            self._history.wrong.append(
                f"design {known.id}: version {known.version} with {known.colour!r} was acknowledged, "
                f"version {found['version']} with {colour!r} was read"
            )

    async def _create(self, http: aiohttp.ClientSession) -> None:
        self._count += 1
        name = f"client {self._number} design {self._count}"
        colour = self._colour()
        patience = self._chance.choice((0, 1))
        try:
            [design] = await self._until_answered(
                http, "POST", "/api/pattern", body=_body(name, colour), key=self._key(), patience=patience
            )
        except GaveUp:
            self._history.unknown.append(name)
            return
        self._history.acknowledged += 1
        self.designs.append(Known(design["id"], name, 1, colour))

    async def _update(self, http: aiohttp.ClientSession, known: Known) -> None:
        colour = self._colour()
        body = _body(known.name, colour, known.id, known.version)
        [design] = await self._until_answered(http, "POST", "/api/pattern", body=body, key=self._key())
        self._history.acknowledged += 1
        if design["version"] != known.version + 1:
            self._history.wrong.append(
                f"design {known.id}: version {known.version + 1} expected, {design['version']} was answered"
            )
        known.version, known.colour = design["version"], colour

    async def _delete(self, http: aiohttp.ClientSession, known: Known) -> None:
        await self._until_answered(http, "DELETE", f"/api/pattern/{known.id}", key=self._key())
        self._history.acknowledged += 1
        known.deleted = True

    async def _until_answered(
        self,
        http: aiohttp.ClientSession,
        method: str,
        path: str,
        *,
        body: Any = None,
        key: str = "",
        patience: int = 0,
        expected: int = 200,
    ) -> Any:
        """The answer of the expected status, however often it must be sent. `patience` gives up after so many."""
        started = time.monotonic()
        tries = 0
        while True:
            tries += 1
            status, code, answer = await self._send(http, method, path, body, key)
            self._history.seen[f"{status} {code}".strip()] += 1
            if status == expected:
                self._history.longest = max(self._history.longest, time.monotonic() - started)
                return answer
            if status not in _AGAIN and status != 0:
                self._history.wrong.append(
                    f"try {tries} of {method} {path}: {status} {code}: {str(answer)[:600]}"
                )
                if tries > 20:
                    raise AssertionError(
                        f"{method} {path}: {status} came again and again: {str(answer)[:600]}"
                    )
            if patience and tries >= patience:
                raise GaveUp
            await asyncio.sleep(min(0.1 * 2 ** min(tries, 4), 1.0) * self._chance.uniform(0.5, 1.0))

    async def _send(
        self, http: aiohttp.ClientSession, method: str, path: str, body: Any, key: str
    ) -> tuple[int, str, Any]:
        """Status, code and answer of one try; status 0 when there was none."""
        headers = {"Idempotency-Key": key} if key else {}
        # The impatient ones send again while the first is still being worked on.
        timeout = aiohttp.ClientTimeout(total=self._chance.choice((1.0, 5.0, 15.0)))
        try:
            async with http.request(
                method, self._url + path, json=body, headers=headers, timeout=timeout
            ) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, type(error).__name__, None
        try:
            answer = json.loads(text)
        except ValueError:
            return reply.status, "no JSON", text
        code = answer.get("code", "") if reply.status >= 400 and isinstance(answer, dict) else ""
        return reply.status, code, answer

    def _key(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _colour(self) -> str:
        return f"{self._chance.getrandbits(48):012x}"


def _body(name: str, colour: str, design_id: str = "", version: int = 0) -> dict[str, Any]:
    component = {
        "displayName": "settings",
        "component": {"kind": "ConfigMap", "version": "v1"},
        "configuration": {"data": {"colour": colour}},
    }
    file = json.dumps({"name": name, "components": [component]})
    data: dict[str, Any] = {"pattern_file": file, "name": name}
    if design_id:
        data |= {"id": design_id, "base_version": version}
    return {"save": True, "pattern_data": data}


def _colour(design: dict[str, Any]) -> str:
    [component] = json.loads(design["pattern_file"])["components"]
    return str(component["configuration"]["data"]["colour"])
