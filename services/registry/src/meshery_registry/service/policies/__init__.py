"""Policies: kept, tested, switched, and asked about designs."""

from meshery_registry.service.policies.evaluating import Evaluator
from meshery_registry.service.policies.policies import PoliciesService

__all__ = ["Evaluator", "PoliciesService"]
