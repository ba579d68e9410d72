"""Policies over designs: read, saved, tested, switched, asked and followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from ariadne import MutationType, ObjectType, QueryType, SubscriptionType

from meshery_contracts import policies as contract
from meshery_contracts import registry
from meshery_contracts.errors import Invalid, NotFound
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_contracts.policies import (
    CheckDesign,
    GetPolicy,
    ListPolicyVersions,
    Policy,
    PolicyFact,
    PolicyId,
    PolicyReport,
    PolicyVersionPage,
    SavePolicy,
    SetPolicyState,
    TestedPolicy,
    TestPolicy,
)
from meshery_contracts.registry import ListPolicies
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.graphql.entities import paged, policy_row
from meshery_gateway.graphql.following import Told, deliveries
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_policy = ObjectType("Policy")
_delivery = ObjectType("PolicyDelivery")

BINDABLES = (_query, _mutation, _subscription, _policy, _delivery)


@_query.field("policies")
async def list_policies(_: object, info: Info, page: int, page_size: int, **filters: Any) -> dict[str, Any]:
    """A page of policies."""
    request = message_from(ListPolicies, page_of(page, page_size, **filters))
    return paged(await info.context.ask(registry.LIST_POLICIES, request), "policies", policy_row)


@_query.field("policy")
async def get_policy(_: object, info: Info, id: UUID, version: int | None = None) -> Policy:
    """One policy."""
    request = message_from(GetPolicy, {"policy_id": id, "version": version})
    return await info.context.ask(contract.GET_POLICY, request)


@_policy.field("versions")
async def versions_of_policy(one: Policy, info: Info, page: int, page_size: int) -> PolicyVersionPage:
    """Its saved versions."""
    request = message_from(ListPolicyVersions, page_of(page, page_size, policy_id=one.id))
    return await info.context.ask(contract.LIST_POLICY_VERSIONS, request)


@_query.field("testPolicy")
async def try_policy(_: object, info: Info, input: dict[str, Any]) -> TestedPolicy:
    """Try a policy."""
    return await info.context.ask(contract.TEST_POLICY, message_from(TestPolicy, _with_id(input)))


@_query.field("checkDesign")
async def check_design(
    _: object, info: Info, id: UUID | None = None, file: str | None = None
) -> PolicyReport:
    """What policies say of a design."""
    if file is None:
        if id is None:
            raise Invalid(
                "The request names no design.", code="design_missing", remedy="Name `id` or `file`."
            )
        file = (await info.context.designs.load(id)).pattern_file
    return await info.context.ask(contract.CHECK_DESIGN, message_from(CheckDesign, {"file": file}))


@_mutation.field("savePolicy")
async def save_policy(_: object, info: Info, input: dict[str, Any]) -> Policy:
    """Save a policy or its next version."""
    return await info.context.ask(contract.SAVE_POLICY, message_from(SavePolicy, _with_id(input)))


@_mutation.field("setPolicyState")
async def set_state(_: object, info: Info, input: dict[str, Any]) -> Policy:
    """Switch a policy."""
    return await info.context.ask(contract.SET_POLICY_STATE, message_from(SetPolicyState, _with_id(input)))


@_mutation.field("deletePolicy")
async def delete_policy(_: object, info: Info, id: UUID) -> UUID:
    """Delete a policy."""
    await info.context.ask(contract.DELETE_POLICY, PolicyId(policy_id=id))
    return id


def _with_id(values: dict[str, Any]) -> dict[str, Any]:
    return {("policy_id" if name == "id" else name): value for name, value in values.items()}


@_subscription.source("policyChanges")
def follow_policies(_: object, info: Info) -> AsyncGenerator[Told, None]:
    """Saves, switches and deletions."""
    topics = (contract.POLICY_SAVED, contract.POLICY_SWITCHED, contract.POLICY_DELETED)
    return deliveries(info, Key.VIEW_REGISTRY, *topics, tell=_told_of)


def _told_of(fact: Message) -> Told:
    if not isinstance(fact, PolicyFact):
        return {}
    return {"policy_id": fact.policy_id, "state": fact.state, "version": fact.version}


@_delivery.field("policy")
async def policy_of_delivery(told: Told, info: Info) -> Policy | None:
    """The policy as it is now."""
    if told.get("policy_id") is None:
        return None
    try:
        return await info.context.ask(contract.GET_POLICY, GetPolicy(policy_id=told["policy_id"]))
    except NotFound:
        return None
