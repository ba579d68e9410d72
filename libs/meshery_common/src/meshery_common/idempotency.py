"""A command that is sent twice is done once; the rules are in `database.commands`.

Kept apart so that the bus can turn `Repeated` into the stored answer without knowing of databases.
"""

from __future__ import annotations


class Repeated(Exception):
    """This command was done before. `answer` is what it was answered with, byte by byte."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("the command was done before")
        self.answer = answer
