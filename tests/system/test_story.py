"""The main job from end to end on a real control plane, told once for each mode: all services in one process, and
one process per service with each of them killed on the way.

Everything goes through HTTP, GraphQL and NATS, as people do it; the cluster is looked at by a client of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.system import deploying, faults, first_steps, permissions, picture
from tests.system.installation import Installation
from tests.system.story import Story

from meshery_kube import Client
from meshery_testkit.cluster import ClusterForTests

#: The main job.
_JOB = (
    first_steps.look_around,
    first_steps.connect_the_cluster,
    first_steps.the_registry_learns,
    picture.what_runs_there,
    picture.a_config_map_lives,
    picture.a_new_kind_lives,
    deploying.a_manifest_becomes_a_design,
    deploying.a_mistake_is_found,
    deploying.it_is_deployed,
    deploying.again_and_changed,
    deploying.it_is_undeployed,
    permissions.an_integrator_calls,
    permissions.one_without_keys_is_refused,
    permissions.changes_are_followed,
    permissions.everything_was_told,
)
#: What can befall processes of their own.
_FAULTS = (
    faults.identity_is_killed,
    faults.registry_is_killed,
    faults.events_is_killed,
    faults.connections_is_killed,
    faults.inventory_is_killed,
    faults.designs_is_killed,
    faults.gateway_is_killed,
    faults.nats_restarts,
    faults.postgresql_restarts,
)
_END = (
    faults.the_picture_is_thrown_away,
    faults.nothing_was_lost,
    faults.the_cluster_is_left_clean,
)


@pytest.mark.cluster
@pytest.mark.timeout(400, func_only=True)
@pytest.mark.parametrize("mode", ["standalone", "separate"])
async def test_story(mode: str, sandbox_cluster: ClusterForTests, kube: Client, tmp_path: Path) -> None:
    separate = mode == "separate"
    async with Installation.started(tmp_path / "home", separate=separate) as meshery:
        story = Story(meshery, kube, sandbox_cluster.kubeconfig)
        for step in (*_JOB, *(_FAULTS if separate else ()), *_END):
            await story.step(step)
