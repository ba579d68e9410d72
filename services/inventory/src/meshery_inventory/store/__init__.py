"""All SQL of inventory."""

from meshery_inventory.store.clusters import ClusterStore
from meshery_inventory.store.pictures import PictureStore
from meshery_inventory.store.rebuilding import RebuildStore
from meshery_inventory.store.resources import ResourceStore

__all__ = ["ClusterStore", "PictureStore", "RebuildStore", "ResourceStore"]
