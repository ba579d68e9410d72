"""Use cases of inventory."""

from meshery_inventory.service.ingest import IngestService
from meshery_inventory.service.pictures import PicturesService
from meshery_inventory.service.sessions import SessionsService

__all__ = ["IngestService", "PicturesService", "SessionsService"]
