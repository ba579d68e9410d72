"""From what an import names to the bytes of it: which client fetches, and what is known of what it brings."""

from __future__ import annotations

from urllib.parse import urlsplit

from meshery_contracts.imports import ImportDefinitions, SourceKind
from meshery_registry.clients import (
    ArtifactHubClient,
    GitClient,
    HelmRepositoryClient,
    OciClient,
    WebClient,
)
from meshery_registry.domain.materials import Form, Material
from meshery_registry.domain.packages import Origin
from meshery_registry.domain.sources import (
    ChartSource,
    GitSource,
    OciSource,
    Source,
    WebSource,
    chart_source,
    shown,
    source_of,
)


class Sources:
    """Fetches what imports name. `github_url` is where GitHub is."""

    def __init__(
        self,
        *,
        web: WebClient,
        git: GitClient,
        oci: OciClient,
        charts: HelmRepositoryClient,
        hub: ArtifactHubClient,
        github_url: str,
    ) -> None:
        self._web = web
        self._git = git
        self._oci = oci
        self._charts = charts
        self._hub = hub
        self._github_url = github_url.rstrip("/")

    def described(self, request: ImportDefinitions) -> tuple[SourceKind, str]:
        """What kind of source a request names, and its name for people. Raises Invalid when that means nothing."""
        if request.file is not None:
            return SourceKind.FILE, request.file.file_name
        if request.sheets is not None:
            return SourceKind.SHEETS, "sheets"
        if request.artifact_hub:
            return SourceKind.ARTIFACT_HUB, request.artifact_hub
        if request.chart is not None:
            chart = request.chart
            chart_source(chart.repository, chart.name, chart.version)
            return (
                SourceKind.CHART,
                f"{chart.name} {chart.version}".strip() + f" of {shown(chart.repository)}",
            )
        match self._named(request):
            case GitSource():
                return SourceKind.GIT, shown(request.url)
            case OciSource():
                return SourceKind.OCI, shown(request.url)
            case _:
                return SourceKind.WEB, shown(request.url)

    async def fetch(self, request: ImportDefinitions, authorization: str = "") -> Material:
        """What the request names. `authorization` is for the host of `url` or `chart`, and goes to no other.

        Raises Invalid, NotFound, TooLarge, Unavailable.
        """
        if request.artifact_hub:
            return await self._fetched(await self._hub.find(request.artifact_hub), "artifacthub", "")
        if request.chart is not None:
            chart = request.chart
            source = chart_source(chart.repository, chart.name, chart.version)
            return await self._fetched(source, "helm", authorization)
        return await self._fetched(self._named(request), "", authorization)

    def _named(self, request: ImportDefinitions) -> Source:
        return source_of(request.url, self._github_url)

    async def _fetched(self, source: Source, registrant: str, authorization: str) -> Material:
        match source:
            case WebSource(url=url):
                file = await self._web.file(source, authorization)
                return _file(file.name, file.body, Origin(registrant, _host(url), "", shown(url)))
            case ChartSource(repository=repository):
                file, _ = await self._charts.archive(source, authorization)
                origin = Origin(registrant or "helm", _host(repository), "", shown(repository))
                return _file(file.name, file.body, origin)
            case OciSource(registry=registry, repository=repository):
                files = await self._oci.pull(source, authorization)
                origin = Origin(registrant, registry, "", f"oci://{registry}/{repository}")
                if len(files) == 1:
                    return _file(files[0].name, files[0].body, origin)
                return Material(Form.FOLDER, [(one.name, one.body) for one in files], origin)
            case GitSource(url=url):
                checkout = await self._git.checkout(source, authorization)
                chosen = checkout.chosen
                kind = "github" if url.startswith(f"{self._github_url}/") else "git"
                origin = Origin(kind, _host(url), chosen.name if chosen.tag else "", shown(url))
                detail = {"object": chosen.object_id, "path": chosen.path}
                return Material(Form.PACK, [("pack", checkout.pack)], origin, detail)


def _file(name: str, body: bytes, origin: Origin) -> Material:
    return Material(Form.FILE, [(name, body)], origin)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
