"""Files on web servers."""

from __future__ import annotations

from meshery_registry.clients.files import SourceFile
from meshery_registry.clients.problems import translated
from meshery_registry.domain.sources import WebSource
from meshery_web import Fetcher


class WebClient:
    """Fetches one file."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def file(self, source: WebSource, authorization: str = "") -> SourceFile:
        """The file. Raises Invalid, TooLarge, Unavailable."""
        with translated():
            fetched = await self._fetcher.get(source.url, authorization=authorization)
        return SourceFile(fetched.file_name, fetched.body)
