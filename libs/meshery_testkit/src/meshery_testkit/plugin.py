"""What pytest loads: every fixture of the kit, and the marks that follow from using them."""

import hypothesis
import pytest

from meshery_testkit import cluster
from meshery_testkit.cluster import (
    _clusters,
    _session_cluster,
    _spare_clusters,
    another_cluster,
    kube,
    namespace,
    namespaces,
    sandbox_cluster,
)
from meshery_testkit.faults.proxy import fault_proxy
from meshery_testkit.installations import installations
from meshery_testkit.nats import nats, people
from meshery_testkit.postgres import database_for, postgres_server
from meshery_testkit.stubs import stubs
from meshery_testkit.telemetry import collector

__all__ = [
    "_clusters",
    "_session_cluster",
    "_spare_clusters",
    "another_cluster",
    "collector",
    "database_for",
    "fault_proxy",
    "installations",
    "kube",
    "namespace",
    "namespaces",
    "nats",
    "people",
    "postgres_server",
    "sandbox_cluster",
    "stubs",
]


# How fast an example is says something about the machine, not about the code.
hypothesis.settings.register_profile(
    "meshery", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("meshery")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests with a cluster are marked."""
    cluster.mark(item)
