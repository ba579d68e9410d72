"""Every SQL statement of the designs service. Rows do not leave it."""

from meshery_designs.store.deployed import DeployedStore
from meshery_designs.store.designs import DesignStore
from meshery_designs.store.runs import RunStore

__all__ = ["DeployedStore", "DesignStore", "RunStore"]
