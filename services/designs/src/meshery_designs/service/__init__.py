"""The use cases of the designs service. Each is a paragraph: authorise, read, decide, write, announce."""

from meshery_designs.service.deployments import DeploymentsService
from meshery_designs.service.designs import DesignsService

__all__ = ["DeploymentsService", "DesignsService"]
