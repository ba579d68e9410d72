"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import deployments as runs
from meshery_contracts import designs as contract
from meshery_designs.service import DeploymentsService, DesignsService


async def serve(bus: Bus, designs: DesignsService, deployments: DeploymentsService) -> None:
    """Answer every endpoint of the contract; fails when one is forgotten."""
    await bus.serve(contract.GET, designs.get)
    await bus.serve(contract.LIST, designs.page)
    await bus.serve(contract.CREATE, designs.create)
    await bus.serve(contract.UPDATE, designs.update)
    await bus.serve(contract.DELETE, designs.delete)
    await bus.serve(contract.EXPORT, designs.export)
    await bus.serve(contract.CLONE, designs.clone)
    await bus.serve(contract.LIST_VERSIONS, designs.versions)
    await bus.serve(contract.IMPORT, designs.import_document)
    await bus.serve(contract.TYPES, designs.types)
    await bus.serve(contract.VALIDATE, designs.validate)
    await bus.serve(runs.PLAN, deployments.plan)
    await bus.serve(runs.DEPLOY, deployments.deploy)
    await bus.serve(runs.UNDEPLOY, deployments.undeploy)
    await bus.serve(runs.FIND_DEPLOYED, deployments.find)
    await bus.serve(runs.GET_RUN, deployments.run)
    await bus.serve(runs.LIST_RUNS, deployments.runs)
    await bus.serve(runs.CANCEL_RUN, deployments.cancel)
    await bus.announce(contract, runs)
