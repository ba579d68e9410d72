"""The custom kinds of a cluster that is not connected: read once, and given to the registry to import."""

from __future__ import annotations

import asyncio
import base64
import gzip
from uuid import UUID

from meshery_common.context import current_request
from meshery_common.database import Database
from meshery_common.idempotency import key_of_part
from meshery_connections.clients import RegistryClient, custom_definitions
from meshery_connections.clients.kubeconfigs import Kubeconfigs, described
from meshery_connections.clients.problems import kubeconfig_problem, problem_of
from meshery_connections.service.doors import Doors
from meshery_connections.store import ConnectionStore, ObservationStore
from meshery_contracts.caller import Caller
from meshery_contracts.connections import ConnectionStatus, RegisterDefinitions, RegisteredDefinitions
from meshery_contracts.imports import MAX_FILE_BYTES, ImportDefinitions, UploadedFile
from meshery_kube import Context
from meshery_kube.errors import KubeconfigError, KubeError

#: Reading them; the rest of the request's time is for the registry.
_READ_SECONDS = 40.0
_FRAME = b'{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinitionList","items":[%b]}'


class DefinitionsService:
    """Use cases over what clusters define; nothing of the kubeconfig is kept."""

    def __init__(
        self, db: Database, doors: Doors, kubeconfigs: Kubeconfigs, registry: RegistryClient
    ) -> None:
        self._db = db
        self._store = ConnectionStore()
        self._observations = ObservationStore()
        self._doors = doors
        self._kubeconfigs = kubeconfigs
        self._registry = registry

    async def register(self, request: RegisterDefinitions, caller: Caller) -> RegisteredDefinitions:
        """Begin the import of a cluster's CRDs; one that the caller has connected teaches them again instead.

        Raises Invalid for the kubeconfig, Unavailable for the cluster.
        """
        await self._db.recall(caller.organization_id)
        context = await self._chosen(request)
        way = self._doors.uploaded(context)
        try:
            identity = await self._doors.identify(way)
            found = await custom_definitions(way, _READ_SECONDS, MAX_FILE_BYTES)
        except KubeError as error:
            raise problem_of(error, f"Cluster '{context.name}'") from error
        reply = RegisteredDefinitions(context=context.name, definitions=len(found))
        async with self._db.transaction(caller.organization_id) as tx:
            known = await self._store.same_cluster(tx, identity.cluster_id, caller)
        if known is not None and known.status is ConnectionStatus.CONNECTED:
            # Its kinds are in the registry under its own name: an import would be a second model of each.
            reply = reply.model_copy(update={"connection_id": known.id})
        elif found:
            reply = reply.model_copy(update={"import_id": await self._imported(found)})
        async with self._db.command(caller.organization_id) as tx:
            if reply.connection_id is not None:
                await self._observations.forget_all_documents(tx, reply.connection_id)
            return await tx.answer(reply)

    async def _imported(self, found: list[bytes]) -> UUID:
        packed = await asyncio.to_thread(_packed, found)
        wish = ImportDefinitions(file=UploadedFile(file_name="crds.json", content_gzip=packed))
        serving = current_request()
        key = serving.idempotency_key if serving is not None else ""
        return (await self._registry.import_definitions(wish, key_of_part(key, "import"))).id

    async def _chosen(self, request: RegisterDefinitions) -> Context:
        try:
            kubeconfig = await self._kubeconfigs.uploaded(request.kubeconfig)
            ids = {described(one).id: one.name for one in kubeconfig.contexts}
            wanted = ids.get(request.context, request.context)
            return kubeconfig.context(wanted or None)
        except KubeconfigError as error:
            raise kubeconfig_problem(error) from error


def _packed(definitions: list[bytes]) -> str:
    return base64.b64encode(gzip.compress(_FRAME % b",".join(definitions), 3)).decode()
