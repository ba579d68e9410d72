"""Command lines of the sandbox's processes: pure, nothing is started or written here."""

import base64
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshery_embedded.cluster.certificates import PKI, Pair
from meshery_embedded.ports import LOOPBACK
from meshery_embedded.process import Command, StopStep

# Kubernetes' own defaults assume large machines; two threads each are enough for a sandbox.
_ENVIRONMENT = {"GOMAXPROCS": "2", "GOGC": "70"}
_POD_CIDR = "10.244.0.0/16"
_SERVICE_CIDR = "10.96.0.0/16"
_QUICK = (StopStep(signal.SIGTERM, 3.0), StopStep(signal.SIGKILL, 5.0))
_AT_ONCE = (StopStep(signal.SIGKILL, 5.0),)


@dataclass(frozen=True)
class Ports:
    """Ports on 127.0.0.1."""

    api: int
    etcd: int
    etcd_peer: int
    kubelet: int


@dataclass(frozen=True)
class Layout:
    """Everything that the command lines of one sandbox depend on."""

    data: Path
    binaries: Path
    pki: PKI
    ports: Ports
    durable: bool
    lock_fd: int

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.api}"

    @property
    def etcd_url(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.etcd}"

    def kubeconfig_path(self, user: str) -> Path:
        return self.data / f"{user}.kubeconfig"

    def command(self, name: str, flags: Mapping[str, str], more: Sequence[str] = ()) -> Command:
        kept = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
        return Command(
            name=name,
            argv=[
                str(self.binaries / name),
                *(f"--{flag}={value}" for flag, value in flags.items()),
                *more,
            ],
            log=self.data / "logs" / f"{name}.log",
            env=kept | _ENVIRONMENT | {"HOME": str(self.data)},
            cwd=self.data,
            # What nobody wants to find again needs no farewell.
            stop=_QUICK if self.durable else _AT_ONCE,
            orphan_signal=signal.SIGKILL,
            kept_fds=[self.lock_fd],
        )


def etcd(layout: Layout) -> Command:
    peer_url = f"https://{LOOPBACK}:{layout.ports.etcd_peer}"
    # Certificates on both ports: any account of the machine can reach the loopback address.
    tls = {
        "cert-file": str(layout.pki.etcd.certificate),
        "key-file": str(layout.pki.etcd.key),
        "trusted-ca-file": str(layout.pki.etcd_authority.certificate),
        "client-cert-auth": "true",
    }
    return layout.command(
        "etcd",
        {
            "name": "sandbox",
            "data-dir": str(layout.data / "etcd"),
            "listen-client-urls": layout.etcd_url,
            "advertise-client-urls": layout.etcd_url,
            "listen-peer-urls": peer_url,
            "initial-advertise-peer-urls": peer_url,
            "initial-cluster": f"sandbox={peer_url}",
            **tls,
            **{f"peer-{flag}": value for flag, value in tls.items()},
            "log-level": "warn",
            "snapshot-count": "5000",
            "unsafe-no-fsync": "false" if layout.durable else "true",
        },
    )


def api_server(layout: Layout) -> Command:
    pki = layout.pki
    return layout.command(
        "kube-apiserver",
        {
            "bind-address": LOOPBACK,
            "advertise-address": LOOPBACK,
            "secure-port": str(layout.ports.api),
            # A loopback address is no valid endpoint of the service `kubernetes`.
            "endpoint-reconciler-type": "none",
            "etcd-servers": layout.etcd_url,
            "etcd-cafile": str(pki.etcd_authority.certificate),
            "etcd-certfile": str(pki.etcd_client.certificate),
            "etcd-keyfile": str(pki.etcd_client.key),
            "cert-dir": str(layout.data / "pki"),
            "tls-cert-file": str(pki.api_server.certificate),
            "tls-private-key-file": str(pki.api_server.key),
            "client-ca-file": str(pki.authority.certificate),
            "kubelet-certificate-authority": str(pki.authority.certificate),
            "kubelet-client-certificate": str(pki.kubelet_client.certificate),
            "kubelet-client-key": str(pki.kubelet_client.key),
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(pki.service_account_key),
            "service-account-signing-key-file": str(pki.service_account_key),
            "service-cluster-ip-range": _SERVICE_CIDR,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "profiling": "false",
        },
    )


def controller_manager(layout: Layout) -> Command:
    pki = layout.pki
    return layout.command(
        "kube-controller-manager",
        {
            "kubeconfig": str(layout.kubeconfig_path("kcm")),
            "leader-elect": "false",
            # Serves nothing: one port less, and nobody asks.
            "secure-port": "0",
            "profiling": "false",
            "root-ca-file": str(pki.authority.certificate),
            "service-account-private-key-file": str(pki.service_account_key),
            "cluster-signing-cert-file": str(pki.authority.certificate),
            "cluster-signing-key-file": str(pki.authority.key),
            "cluster-cidr": _POD_CIDR,
            "service-cluster-ip-range": _SERVICE_CIDR,
            "allocate-node-cidrs": "true",
        },
    )


def scheduler(layout: Layout) -> Command:
    return layout.command(
        "kube-scheduler",
        {
            "kubeconfig": str(layout.kubeconfig_path("scheduler")),
            "leader-elect": "false",
            "secure-port": "0",
            "profiling": "false",
        },
    )


def kwok(layout: Layout) -> Command:
    return layout.command(
        "kwok",
        {
            "kubeconfig": str(layout.kubeconfig_path("kwok")),
            "manage-all-nodes": "true",
            "cidr": _POD_CIDR,
            "node-ip": LOOPBACK,
            "node-port": str(layout.ports.kubelet),
            "node-lease-duration-seconds": "40",
            "server-address": f"{LOOPBACK}:{layout.ports.kubelet}",
            "tls-cert-file": str(layout.pki.kubelet.certificate),
            "tls-private-key-file": str(layout.pki.kubelet.key),
        },
        [
            f"--config={Path(__file__).with_name('kwok.yaml')}",
            f"--config={layout.data / 'kwok-logs.yaml'}",
        ],
    )


def kwok_logs(data: Path) -> str:
    """Configuration by which every Pod has the log `data/pods.log`, which a test may append to.

    Its lines are as a container runtime writes them: `<time in RFC 3339> stdout F <words>`.
    """
    return f"""\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata:
  name: every-pod
spec:
  logs:
  - logsFile: {json.dumps(str(data / "pods.log"), ensure_ascii=False)}
    follow: true
"""


def kubeconfig(server: str, authority: Pair, client: Pair) -> str:
    """A kubeconfig that needs no other file."""

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return f"""\
apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- name: sandbox
  cluster:
    server: {server}
    certificate-authority-data: {data(authority.certificate)}
contexts:
- name: sandbox
  context:
    cluster: sandbox
    user: sandbox-admin
    namespace: default
users:
- name: sandbox-admin
  user:
    client-certificate-data: {data(client.certificate)}
    client-key-data: {data(client.key)}
"""
