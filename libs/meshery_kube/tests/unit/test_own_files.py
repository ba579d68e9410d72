"""The machine's own kubeconfig, and the identity of a Pod."""

from pathlib import Path

import pytest

from meshery_kube import in_cluster_context, own_kubeconfig, self_contained
from meshery_kube.errors import ContextNotPortable, FieldRefused, KubeconfigMalformed

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

FIRST = """
kind: Config
current-context: one
clusters:
- name: one
  cluster: {server: "https://one:6443", certificate-authority: ca.pem}
users:
- name: one
  user: {client-certificate: pki/client.pem, client-key: pki/client.key}
contexts:
- name: one
  context: {cluster: one, user: one, namespace: apps}
"""
SECOND = """
current-context: two
clusters:
- name: one
  cluster: {server: "https://ignored"}
- name: two
  cluster: {server: "http://two:8080", proxy-url: "http://proxy:3128"}
users:
- name: two
  user:
    as: bob
    as-groups: [g1, g2]
    as-user-extra: {scope: [a]}
    tokenFile: token
- name: cloud
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./bin/login
      args: [get, token]
      env: [{name: A, value: b}]
      provideClusterInfo: true
      interactiveMode: IfAvailable
- name: old
  user: {auth-provider: {name: gcp}}
- name: asking
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}}
- name: ancient
  user: {exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}
contexts:
- name: two
  context: {cluster: two, user: two}
- {name: cloud, context: {cluster: two, user: cloud}}
- {name: old, context: {cluster: two, user: old}}
- {name: asking, context: {cluster: two, user: asking}}
- {name: ancient, context: {cluster: two, user: ancient}}
- {name: lost, context: {cluster: gone, user: two}}
- {name: anonymous, context: {cluster: two, user: ""}}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "a" / "pki").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "config").write_text(FIRST)
    (tmp_path / "a" / "ca.pem").write_text(CERTIFICATE)
    (tmp_path / "a" / "pki" / "client.pem").write_text(CERTIFICATE)
    (tmp_path / "a" / "pki" / "client.key").write_text(KEY)
    (tmp_path / "b" / "config").write_text(SECOND)
    return [tmp_path / "a" / "config", tmp_path / "missing", tmp_path / "b" / "config"]


def test_files_are_merged_and_the_first_wins(files: list[Path]) -> None:
    listed = ":".join(str(path) for path in files)
    found = own_kubeconfig(environment={"KUBECONFIG": listed})
    assert found.names == ("one", "two", "cloud", "anonymous")
    assert found.current == "one"
    one = found.context()
    assert (one.server.url, one.namespace) == ("https://one:6443", "apps")
    assert one.server.authority == CERTIFICATE
    assert (one.user.certificate, one.user.key) == (CERTIFICATE, KEY)


def test_paths_are_relative_to_their_file(files: list[Path]) -> None:
    found = own_kubeconfig(files)
    two = found.context("two")
    assert two.user.token_file == files[2].parent / "token"
    assert two.server.proxy_url == "http://proxy:3128"
    assert two.user.impersonation is not None
    assert two.user.impersonation.groups == ("g1", "g2")
    assert two.user.impersonation.extra == (("scope", ("a",)),)
    plugin = found.context("cloud").user.exec_plugin
    assert plugin is not None
    assert Path(plugin.command) == files[2].parent / "bin" / "login"
    assert plugin.arguments == ("get", "token")
    assert plugin.environment == (("A", "b"),)
    assert plugin.provide_cluster_info


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("old", "user.auth-provider"),
        ("asking", "user.exec.interactiveMode"),
        ("ancient", "user.exec.apiVersion"),
        ("lost", "cluster"),
    ],
)
def test_what_cannot_be_used_says_why(files: list[Path], name: str, field: str) -> None:
    with pytest.raises(FieldRefused) as caught:
        own_kubeconfig(files).context(name)
    assert caught.value.field == field


def test_a_missing_certificate_file_spoils_one_context_only(files: list[Path]) -> None:
    (files[0].parent / "pki" / "client.pem").unlink()
    found = own_kubeconfig(files)
    assert found.refused["one"][0].field == "user.client-certificate"
    assert "two" in found.names


def test_an_error_names_the_file(files: list[Path]) -> None:
    files[2].write_text("a: [")
    with pytest.raises(KubeconfigMalformed, match="b/config"):
        own_kubeconfig(files)


def test_files_flatten_but_plugins_do_not(files: list[Path], tmp_path: Path) -> None:
    found = own_kubeconfig(files)
    flat = tmp_path / "flat"
    flat.write_text(self_contained(found.context("one")))
    assert own_kubeconfig([flat]).context() == found.context("one")
    for name in ("two", "cloud"):
        with pytest.raises(ContextNotPortable):
            self_contained(found.context(name))
        assert "as: bob" in self_contained(found.context("two"), token="t")


def test_the_identity_of_a_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text(CERTIFICATE)
    (tmp_path / "namespace").write_text("apps\n")
    context = in_cluster_context({"KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path)
    assert context.server.url == "https://[fd00::1]:443"
    assert context.namespace == "apps"
    assert context.user.token_file == tmp_path / "token"
    with pytest.raises(KubeconfigMalformed):
        in_cluster_context({}, tmp_path)


def test_ones_own_file_may_use_aliases_within_limits(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "clusters: [{name: a, cluster: &c {server: 'https://a'}}, {name: b, cluster: *c}]\n"
        "contexts: [{name: x, context: {cluster: b}}]\n"
    )
    assert own_kubeconfig([file]).context().server.url == "https://a"
    for text in ("a: &a [*a]", "a: &a x\nb: [" + "*a," * 101 + "]"):
        file.write_text(text)
        with pytest.raises(KubeconfigMalformed):
            own_kubeconfig([file])


@pytest.mark.parametrize(
    "text",
    [
        "contexts: [{name: a, context: {namespace: [x]}}]",
        "clusters: [{name: a, cluster: {server: {}}}]\ncontexts: [{name: a, context: {cluster: a}}]",
        "users: [{name: a, user: {exec: x}}]\ncontexts: [{name: a, context: {user: a}}]",
        "users: [{name: a, user: {as: b, as-groups: x}}]\ncontexts: [{name: a, context: {user: a}}]",
        "users: [{name: a, user: {as: b, as-groups: [[]]}}]\ncontexts: [{name: a, context: {user: a}}]",
    ],
)
def test_ones_own_file_may_be_wrong(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(KubeconfigMalformed):
        own_kubeconfig([file])


def test_a_plugin_without_a_command_and_a_proxy_that_does_not_work(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "clusters: [{name: a, cluster: {server: 'https://a', proxy-url: 'socks5://b'}}]\n"
        "users: [{name: a, user: {exec: {args: [x]}}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
    )
    found = own_kubeconfig([file])
    assert [problem.field for problem in found.refused["a"]] == ["cluster.proxy-url", "user.exec.command"]
