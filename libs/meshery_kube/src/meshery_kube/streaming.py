"""Whether a server streams snapshots (sendInitialEvents): asked once, remembered per API group."""

import asyncio
from collections.abc import Awaitable, Callable

from meshery_kube.errors import KubeError
from meshery_kube.kinds import Kind
from meshery_kube.versions import Version


class StreamingSupport:
    """Shared by all watches of one client, so that hundreds of kinds do not each find out."""

    def __init__(self, version: Callable[[], Awaitable[Version]]) -> None:
        self._version = version
        self._lock = asyncio.Lock()
        self._usable: bool | None = None
        self._refused: set[tuple[str, str]] = set()

    async def usable(self, kind: Kind) -> bool:
        """Worth trying? Before 1.27 servers ignored the parameter: no refusal, but no end."""
        if self._usable is None:
            async with self._lock:
                if self._usable is None:
                    try:
                        self._usable = (await self._version()).at_least(1, 27)
                    except KubeError:
                        return True  # the watch itself will say what is wrong
        return self._usable and (kind.group, kind.version) not in self._refused

    def refused(self, kind: Kind) -> None:
        """Its server answered that it does not know it (aggregated servers differ)."""
        self._refused.add((kind.group, kind.version))
