"""Helm repositories over HTTP: an index.yaml that names archives."""

from __future__ import annotations

import hashlib
from urllib.parse import urljoin

from meshery_common.processes import WorkerProcess
from meshery_contracts.errors import Invalid
from meshery_registry.clients.files import SourceFile
from meshery_registry.clients.problems import translated
from meshery_registry.domain.chart_indexes import archive_in
from meshery_registry.domain.logins import same_origin
from meshery_registry.domain.sources import ChartSource
from meshery_web import Fetcher

_MAX_INDEX_BYTES = 64 * 1024 * 1024


class HelmRepositoryClient:
    """Finds a chart's archive and fetches it. Indexes of megabytes are read in `beside`."""

    def __init__(self, fetcher: Fetcher, beside: WorkerProcess) -> None:
        self._fetcher = fetcher
        self._beside = beside

    async def archive(self, source: ChartSource, authorization: str = "") -> tuple[SourceFile, str]:
        """The archive of a chart, and its version. Raises Invalid, NotFound, TooLarge, Unavailable.

        An index may name archives on other hosts: they do not see the authorization.
        """
        with translated():
            index = await self._fetcher.get(
                f"{source.repository}/index.yaml", authorization=authorization, max_bytes=_MAX_INDEX_BYTES
            )
        found = await self._beside.run(archive_in, index.body, source.name, source.version)
        url = urljoin(index.url, found.url)
        if not same_origin(url, source.repository):
            authorization = ""
        with translated():
            fetched = await self._fetcher.get(url, authorization=authorization)
        digest = found.digest.removeprefix("sha256:").lower()
        if digest and hashlib.sha256(fetched.body).hexdigest() != digest:
            raise Invalid(
                f"The archive of the chart {source.name!r} is not what the repository's index says.",
                code="chart_digest",
                cause="The archive was replaced after the index was made, or somebody changed it on the way.",
                remedy="Ask whoever runs the repository to write its index anew.",
            )
        return SourceFile(f"{source.name}-{found.version}.tgz", fetched.body), found.version
