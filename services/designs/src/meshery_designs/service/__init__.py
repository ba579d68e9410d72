"""The use cases of the designs service. Each is a paragraph: authorise, read, decide, write, announce."""

from meshery_designs.service.deployments import DeploymentsService
from meshery_designs.service.designs import DesignsService
from meshery_designs.service.planning import Planner

__all__ = ["DeploymentsService", "DesignsService", "Planner"]
