"""Taking a model out as a package."""

from __future__ import annotations

import base64
import re

from meshery_common.context import answer_bytes
from meshery_common.database import Database
from meshery_common.processes import WorkerProcess
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Invalid, NotFound, TooLarge
from meshery_contracts.imports import ExportedModel, ExportModel, PackageFile
from meshery_registry.domain.definitions import Model
from meshery_registry.domain.exporting import Stored, exported
from meshery_registry.store.exports import ExportStore
from meshery_registry.store.models import ModelStore

#: What a model may have before it is packed, in bytes: all of it is in memory then.
_MOST_STORED_BYTES = 256 * 1024 * 1024
#: Room for the envelope of the answer, in bytes.
_ENVELOPE_BYTES = 4096
_TYPES = {
    PackageFile.OCI: ("application/x-tar", "tar"),
    PackageFile.TAR: ("application/gzip", "tar.gz"),
}
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


class ExportsService:
    """The use case of export."""

    def __init__(self, db: Database, beside: WorkerProcess) -> None:
        self._db = db
        self._beside = beside
        self._models = ModelStore()
        self._store = ExportStore()

    async def export(self, request: ExportModel, caller: Caller) -> ExportedModel:
        """The package of a model that the caller sees. Raises NotFound, TooLarge."""
        organization_id = caller.organization_id
        queries = self._db.within(organization_id)
        model = await self._model(request, caller)
        size = await self._store.size(queries, model) if request.components else 0
        if size > _MOST_STORED_BYTES:
            raise _too_large(model, size)
        package, schemas = await self._store.package(
            queries, model, components=request.components, relationships=request.relationships
        )
        icons = await self._store.icons(queries, organization_id, model)
        content = await self._beside.run(
            exported,
            Stored(package, schemas, icons),
            request.format.value,
            request.file_type.value,
            request.components,
            request.relationships,
            request.older,
        )
        if len(content) * 4 / 3 > answer_bytes() - _ENVELOPE_BYTES:
            raise _too_large(model, len(content))
        encoded = base64.b64encode(content).decode()
        media_type, ending = _TYPES[request.file_type]
        name = _UNUSUAL.sub("-", f"{model.name}-{model.version}").strip("-.")
        return ExportedModel(file_name=f"{name}.{ending}", media_type=media_type, content=encoded)

    async def _model(self, request: ExportModel, caller: Caller) -> Model:
        organization_id = caller.organization_id
        queries = self._db.within(organization_id)
        if request.model_id is not None:
            found = (await self._models.by_id(queries, organization_id, [request.model_id])).get(
                request.model_id
            )
        elif request.name:
            found = await self._models.by_name(queries, organization_id, request.name, request.version)
        else:
            raise Invalid("An export names a model by id or by name.", code="model_missing")
        if found is None:
            raise NotFound(
                "There is no such model.", code="model_unknown", remedy="List the models there are."
            )
        return found


def _too_large(model: Model, size: int) -> TooLarge:
    return TooLarge(
        f"The package of {model.name} {model.version} is about {size:,} bytes: too large for one answer.",
        code="export_too_large",
        remedy="Export it without components, or in the form `tar`.",
    )
