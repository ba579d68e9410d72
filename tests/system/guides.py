"""Guides as programs: their code blocks, what the text promises of each, and a shell that a reader types them into."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.waiting import shown

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_FENCE = re.compile(r"^```(.*)$")
_LINK = re.compile(r"\[[^\]]+\]\(([a-z-]+\.md)\)")
_BLOCK_SECONDS = 90.0


@dataclass(frozen=True)
class Block:
    """One code block, and the output that stands below it; `…` in it stands for anything."""

    guide: str
    line: int
    #: The language, and for shells which terminal: `sh`, `sh first terminal`.
    kind: str
    code: str
    promised: str = ""

    def __str__(self) -> str:
        return f"{self.guide} line {self.line} ({self.kind})"


@dataclass(frozen=True)
class Link:
    """The reader is sent to another guide."""

    guide: str


def read(guide: str) -> list[Block | Link]:
    """The blocks and links of a guide, in their order."""
    found: list[Block | Link] = []
    for kind, line, text in _parts((GUIDES / guide).read_text().splitlines()):
        if kind == "text" and found and isinstance(found[-1], Block):
            last = found.pop()
            assert isinstance(last, Block)
            found.append(Block(last.guide, last.line, last.kind, last.code, text))
        elif kind:
            found.append(Block(guide, line, kind, text))
        else:
            found += [Link(name) for name in _LINK.findall(text)]
    return found


def _parts(lines: list[str]) -> Iterator[tuple[str, int, str]]:
    """Code blocks as (info, line, code), lines of prose with an empty info."""
    start, info, block = 0, "", list[str]()
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if fence and start:
            yield info, start, "\n".join(block)
            start, block = 0, []
        elif fence:
            start, info = number, fence[1].strip()
        elif start:
            block.append(line)
        else:
            yield "", number, line


def missing(promised: str, output: str) -> str:
    """The first promised line that the output does not have in its place; empty when all is there."""
    position = 0
    text = re.sub(r"[ \t]+", " ", output)
    for line in filter(None, (one.strip() for one in promised.splitlines())):
        pattern = ".*".join(re.escape(part) for part in re.sub(r"[ \t]+", " ", line).split("…"))
        match = re.compile(pattern).search(text, position)
        if match is None:
            return line
        position = match.end()
    return ""


def check(block: Block, output: str) -> None:
    """Fail unless the output is what the text promises."""
    line = missing(block.promised, output)
    assert not line, f"{block} promises the line\n  {line}\nbut its output is\n{shown(output)}"


class Shell:
    """A terminal: one bash in which variables and functions stay."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Shell]:
        """A shell in a folder, for the time of the block."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "--noprofile", "--norc"),
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 24,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            # The transport is closed by the loop's next turns.
            await asyncio.sleep(0)

    async def type(self, block: Block, code: str) -> str:
        """Run a block and give its output. Fails when its last command does."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"set -o pipefail\n{code}\ncode=$?; echo; echo __end__ $code\n".encode())
        await self._process.stdin.drain()
        output = ""
        try:
            async with asyncio.timeout(_BLOCK_SECONDS):
                async for raw in self._process.stdout:
                    line = raw.decode(errors="replace")
                    if line.startswith("__end__"):
                        assert line.split()[1] == "0", (
                            f"{block} ended with {line.split()[1]}:\n{shown(output)}"
                        )
                        return output
                    output += line
        except TimeoutError:
            raise AssertionError(f"{block} did not end in {_BLOCK_SECONDS:.0f} s:\n{shown(output)}") from None
        raise AssertionError(f"the shell ended in {block}:\n{shown(output)}")
