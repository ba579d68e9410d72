"""The sandbox's nodes, and what must be true before a Pod can run on them."""

import platform
from typing import Any

import aiohttp

_LABEL = "meshery.io/sandbox-node"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def node_name(number: int) -> str:
    """Name of the node with this number, from 1."""
    return f"sandbox-node-{number}"


async def ensure_nodes(session: aiohttp.ClientSession, count: int, version: str) -> None:
    """Make the wanted nodes, remove ours that are too many. Raises aiohttp.ClientError."""
    there = {
        item["metadata"]["name"]
        for item in (await _get(session, f"/api/v1/nodes?labelSelector={_LABEL}"))["items"]
    }
    wanted = {node_name(number) for number in range(1, count + 1)}
    for name in sorted(wanted - there):
        async with session.post("/api/v1/nodes", json=_node(name, version)) as response:
            response.raise_for_status()
    for name in sorted(there - wanted):
        async with session.delete(f"/api/v1/nodes/{name}") as response:
            response.raise_for_status()


async def can_run_pods(session: aiohttp.ClientSession, count: int) -> bool:
    """Whether the API server is ready, `count` nodes are, and a Pod in `default` is admitted."""
    try:
        if not await is_ready(session):
            return False
        nodes = (await _get(session, f"/api/v1/nodes?labelSelector={_LABEL}"))["items"]
        # Without its service account no Pod is admitted; a controller makes it.
        await _get(session, "/api/v1/namespaces/default/serviceaccounts/default")
    except (aiohttp.ClientError, TimeoutError):
        return False
    return sum(_is_schedulable(node) for node in nodes) == count


async def is_ready(session: aiohttp.ClientSession) -> bool:
    """Whether the server behind the session says that it is ready (Kubernetes and etcd alike)."""
    try:
        async with session.get("/readyz") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _is_schedulable(node: dict[str, Any]) -> bool:
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in node.get("status", {}).get("conditions", ())
    )
    # A controller takes the not-ready taint away a moment after the condition.
    return ready and not node["spec"].get("taints")


async def _get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as response:
        response.raise_for_status()
        return await response.json()


def _node(name: str, version: str) -> dict[str, Any]:
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    resources = {"cpu": "32", "memory": "64Gi", "ephemeral-storage": "256Gi", "pods": "250"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                _LABEL: "true",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture,
                "type": "kwok",
            },
            "annotations": {"node.alpha.kubernetes.io/ttl": "0", "kwok.x-k8s.io/node": "fake"},
        },
        "status": {
            "allocatable": resources,
            "capacity": resources,
            "nodeInfo": {
                "architecture": architecture,
                "kubeletVersion": version,
                "kubeProxyVersion": version,
                "operatingSystem": "linux",
                "osImage": "sandbox",
                # The API wants all of them, if only empty.
                **dict.fromkeys(
                    ("bootID", "containerRuntimeVersion", "kernelVersion", "machineID", "systemUUID"), ""
                ),
            },
        },
    }
