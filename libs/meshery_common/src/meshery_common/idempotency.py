"""A command that is sent twice is done once; the rules are in `database.commands`.

Kept apart so that the bus can turn `Repeated` into the stored answer without knowing of databases.
"""

from __future__ import annotations

import hashlib

#: The longest key a client may choose, in characters.
MAX_KEY_LENGTH = 200


class Repeated(Exception):
    """This command was done before. `answer` is what it was answered with, byte by byte."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("the command was done before")
        self.answer = answer


def key_of_part(key: str, part: str) -> str:
    """The key under which a part of a command is asked of another service; empty for a command without one.

    The same for every repeat, and never longer than a key may be.
    """
    whole = f"{key}.{part}" if key else ""
    if len(whole) <= MAX_KEY_LENGTH:
        return whole
    return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()
