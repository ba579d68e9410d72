"""Reading a mapping that a person wrote: every place that is wrong is noted, none is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshery_contracts.errors import FieldProblem

_MOST_TEXTS = 200


class Place:
    """A mapping at a path of a document. What is wrong goes to `problems`; then a harmless value is given."""

    def __init__(self, value: object, path: str, problems: list[FieldProblem]) -> None:
        self._path = path
        self._problems = problems
        if not isinstance(value, dict):
            self.wrong("", "must be a mapping")
            value = {}
        self.value: dict[str, Any] = value

    @property
    def keys(self) -> Mapping[str, Any]:
        """What is said here, leaving out what is null."""
        return {key: value for key, value in self.value.items() if value is not None}

    def wrong(self, key: str, message: str) -> None:
        """Note what is wrong with a key, or with the whole place."""
        self._problems.append(FieldProblem(path=self._at(key), message=message))

    def only(self, *known: str) -> None:
        """Note every key that is not one of these."""
        for key in self.value:
            if key not in known:
                self.wrong(str(key), f"is not known here; there are {', '.join(known)}")

    def text(self, key: str, *, required: bool = False, most: int = 250) -> str:
        """A text, without the blanks around it."""
        value = self.keys.get(key, "")
        if not isinstance(value, str):
            self.wrong(key, "must be a text")
            return ""
        if len(value) > most or "\0" in value:
            self.wrong(key, f"must be a text of at most {most:,} characters")
        elif required and not value.strip():
            self.wrong(key, "is missing")
        return value.strip()

    def choice(self, key: str, choices: Sequence[str], *, default: str = "") -> str:
        """One of the words; the first, or the default, where nothing is said."""
        value = self.keys.get(key, default or choices[0])
        if value in choices:
            return str(value)
        self.wrong(key, f"must be one of {', '.join(str(one) for one in choices)}")
        return choices[0]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.keys.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.wrong(key, "must be a list of texts")
            return ()
        if len(value) > _MOST_TEXTS:
            self.wrong(key, f"must have at most {_MOST_TEXTS} entries")
        return tuple(value)

    def text_mapping(self, key: str) -> Mapping[str, str]:
        """A mapping of texts to texts."""
        value = self.keys.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            self.wrong(key, "must be a mapping of texts")
            return {}
        return value

    def mapping(self, key: str, *, required: bool = False) -> Place:
        """The place below a key; an empty one where nothing is said."""
        if required and key not in self.keys:
            self.wrong(key, "is missing")
        return Place(self.keys.get(key, {}), self._at(key), self._problems)

    def list(self, key: str, *, most: int) -> list[Place]:
        """The places of a list."""
        value = self.keys.get(key, [])
        if not isinstance(value, list):
            self.wrong(key, "must be a list")
            return []
        if len(value) > most:
            self.wrong(key, f"must have at most {most} entries")
            return []
        return [
            Place(one, f"{self._at(key)}.{position}", self._problems) for position, one in enumerate(value)
        ]

    def unique(self, key: str, names: Sequence[str]) -> None:
        """Note a name that occurs twice in a list."""
        for position, name in enumerate(names):
            if name and name in names[:position]:
                self.wrong(f"{key}.{position}.name", f"{name!r} occurs twice")

    def _at(self, key: str) -> str:
        return ".".join(part for part in (self._path, key) if part)
