"""Policies: kept, tested, switched, and asked about designs."""

from meshery_registry.service.policies.evaluating import POLICY_BYTES, Evaluator
from meshery_registry.service.policies.policies import PoliciesService

__all__ = ["POLICY_BYTES", "Evaluator", "PoliciesService"]
