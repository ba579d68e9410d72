"""Names, versions and ids."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_registry.domain import names


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("Deployment", "Deployment"),
        ("ReplicaSet", "Replica Set"),
        ("HTTPRoute", "HTTP Route"),
        ("APIService", "API Service"),
        ("CSIStorageCapacity", "CSI Storage Capacity"),
        ("ServiceCIDR", "Service CIDR"),
        ("IPAddress", "IP Address"),
        ("BGPPeerV2", "BGP Peer V2"),
        ("x", "x"),
    ],
)
def test_kinds_are_split_at_their_capitals(kind: str, shown: str) -> None:
    assert names.display_name(kind) == shown


@given(st.from_regex(r"[A-Z][A-Za-z0-9]{0,40}", fullmatch=True))
def test_no_letter_of_a_kind_is_lost(kind: str) -> None:
    assert names.display_name(kind).replace(" ", "") == kind


def test_versions_are_ordered_as_releases_are() -> None:
    ordered = [
        "",
        "v1.0.0-alpha.1",
        "v1.0.0-beta.1",
        "v1.0.0-beta.10",
        "v1.0.0-rc.1",
        "v1.0.0",
        "v1.9.3",
        "v1.29.3",
        "v1.29.3+k3s1",
        "v1.29.3-gke.1014001",
        "v1.30",
        "v1.36.0-alpha.2",
        "v1.36.3",
        "v2.0.0",
    ]
    orders = [names.version_order(version) for version in ordered]
    assert all(earlier < later for earlier, later in pairwise(orders))


@given(st.text(max_size=60))
def test_whatever_a_version_is_it_has_an_order_that_fits_the_column(version: str) -> None:
    assert all(abs(number) < 2**63 for number in names.version_order(version))


@pytest.mark.parametrize(
    ("group_version", "custom", "name", "version"),
    [
        ("v1", False, "kubernetes", "v1.36.3"),
        ("apps/v1", False, "kubernetes", "v1.36.3"),
        ("rbac.authorization.k8s.io/v1", False, "kubernetes", "v1.36.3"),
        ("gateway.networking.k8s.io/v1", True, "gateway-networking-k8s-io", "v1.0.0"),
        ("cert-manager.io/v1beta2", True, "cert-manager-io", "v1.0.0-beta.2"),
        ("example.io/2024-01-01", True, "example-io", "2024-01-01"),
    ],
)
def test_a_group_version_has_a_model(group_version: str, custom: bool, name: str, version: str) -> None:
    assert names.model_name(group_version, custom=custom) == name
    assert names.model_version(group_version, "v1.36.3", custom=custom) == version


def test_ids_depend_on_everything_they_stand_for() -> None:
    model = names.model_id("kubernetes", "kubernetes", "v1")
    others = [
        names.model_id("github", "kubernetes", "v1"),
        names.model_id("kubernetes", "k", "v1"),
        names.model_id("kubernetes", "kubernetes", "v2"),
    ]
    ids = {names.component_id(one, "v1", "Pod", "a") for one in (model, *others)}
    ids |= {
        names.component_id(model, *told)
        for told in (("v2", "Pod", "a"), ("v1", "P", "a"), ("v1", "Pod", "b"))
    }
    assert len(ids) == 7
    assert names.model_id("kubernetes", "kubernetes", "v1") == model
