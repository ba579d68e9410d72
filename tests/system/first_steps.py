"""The first minutes: who am I, connect a cluster, and what can be built on it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import aiohttp
from tests.system.story import Story
from tests.system.waiting import until

from meshery_registry.domain.contents import read_contents

_KUBERNETES = "/api/system/kubernetes"
_EXEC = """
apiVersion: v1
kind: Config
current-context: tempting
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
contexts: [{name: tempting, context: {cluster: c, user: u}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true}}}]
"""


async def look_around(story: Story) -> None:
    """Version, health, providers, who I am, where I belong and what I may do."""
    rest = story.rest
    version = await rest.get("/api/system/version")
    assert version["build"].startswith("v"), version
    assert (await rest.get("/healthz/live"))["status"] == "live"
    assert (await rest.get("/healthz/ready"))["status"] == "ready"
    providers = await rest.get("/api/providers")
    assert [one["provider_type"] for one in providers.values()] == ["local"], providers
    token = await rest.get("/api/token")
    # mesheryctl keeps this answer as a map of texts.
    assert all(isinstance(one, str) for one in token.values()), token
    story.user = await rest.get("/api/user")
    assert story.user["user_id"] == "meshery"
    [organization] = (await rest.get("/api/identity/orgs"))["organizations"]
    story.organization_id = organization["id"]
    keys = (await rest.get(f"/api/identity/orgs/{story.organization_id}/users/keys"))["keys"]
    assert {"View Designs", "Deploy Design", "Add cluster"} <= {one["function"] for one in keys}, keys[:3]
    me = await story.graphql.ask("{ me { id userId } organizations { organizations { id } } }")
    assert me["me"]["id"] == story.user["id"]
    assert me["organizations"]["organizations"] == [{"id": story.organization_id}]
    assert (await rest.get("/api/system/events"))["total_count"] == 0


async def connect_the_cluster(story: Story) -> None:
    """A kubeconfig that runs a program is refused; the sandbox's connects; its API server answers a ping."""
    problem = await story.rest.call("POST", _KUBERNETES, form=_form(_EXEC), status=400)
    assert "exec" in problem["error"], f"the refusal must name the field: {problem}"
    assert problem["suggestedRemediation"], f"the refusal must say how to go on: {problem}"

    listed = await story.rest.call("POST", f"{_KUBERNETES}/contexts", form=_form(story.kubeconfig))
    assert [one["name"] for one in listed] == ["sandbox"], listed
    assert (await story.rest.get(f"{_KUBERNETES}/contexts"))["contexts"] == [], "reading must store nothing"

    reply = await _upload(story, story.kubeconfig)
    [context] = reply["connected_contexts"]
    assert reply["connectedContexts"] == reply["connected_contexts"], "both spellings say the same"
    assert context["kubernetes_server_id"] == await story.kube.cluster_id()
    assert "-----BEGIN" not in str(reply), "an answer must never hold a credential"
    story.connection_id, story.cluster_id = context["connection_id"], context["kubernetes_server_id"]

    connection = await story.rest.get(f"/api/integrations/connections/{story.connection_id}")
    assert connection["status"] == "connected", connection
    ping = await story.rest.get(f"{_KUBERNETES}/ping", connection_id=story.connection_id)
    assert ping["server_version"].startswith("v1."), ping


async def the_registry_learns(story: Story) -> None:
    """The cluster's kinds are components, beside those that ship; connecting it again makes no duplicates."""
    ping = await story.rest.get(f"{_KUBERNETES}/ping", connection_id=story.connection_id)

    shipped = read_contents(files("meshery_registry") / "content").packages

    async def models() -> list[tuple[str, str]]:
        listed = (await story.rest.get("/api/registry/models", pagesize="all"))["models"]
        return [(one["name"], one["model"]["version"]) for one in listed]

    expected = {(one.model.name, one.model.version) for one in shipped}
    expected.add(("kubernetes", ping["server_version"]))
    known = await until(
        "what ships is there, and the cluster's version, each once",
        models,
        lambda found: expected <= {*found} and len(found) == len({*found}),
    )
    deployments = await _components(story, "Deployment")
    assert {one["component"]["version"] for one in deployments} == {"apps/v1"}
    belongs = [(one["model"]["name"], one["model"]["model"]["version"]) for one in deployments]
    assert sorted(belongs) == sorted(one for one in known if one[0] == "kubernetes"), "once in each version"

    async def settled() -> int:
        kinds = (await story.kube.discovery.refresh()).kinds
        total = (await story.rest.get("/api/registry/components"))["total_count"]
        assert total >= len({(one.group, one.kind) for one in kinds if one.can("list", "create")}), total
        return int(total)

    before = await until("all of the cluster's kinds are components", settled)
    again = await _upload(story, story.kubeconfig)
    assert [one["connection_id"] for one in again["connected_contexts"]] == [story.connection_id], again
    connections = await story.rest.get("/api/integrations/connections")
    assert connections["total_count"] == 1, connections
    assert (await story.rest.get("/api/registry/components"))["total_count"] == before
    assert len(await _components(story, "Deployment")) == len(deployments)


async def _components(story: Story, kind: str) -> list[dict[str, Any]]:
    reply = await story.rest.get(f"/api/meshmodels/components/{kind}", trim="true")
    return list(reply["components"])


async def _upload(story: Story, kubeconfig: str) -> Any:
    return await story.rest.call("POST", _KUBERNETES, form=_form(kubeconfig))


def _form(kubeconfig: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("k8sfile", kubeconfig.encode(), filename="config.yaml")
    return form
