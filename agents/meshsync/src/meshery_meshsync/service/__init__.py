"""Watching clusters: what is done with what the API server tells."""

from meshery_meshsync.service.agents import Agent

__all__ = ["Agent"]
