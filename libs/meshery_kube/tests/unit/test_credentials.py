"""Tokens from files and plug-ins; what is told to the server about whom we act for."""

import asyncio
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from meshery_kube import Context, Impersonation
from meshery_kube.credentials import (
    PluginCredentials,
    TokenFileCredentials,
    credentials_for,
    impersonation_headers,
)
from meshery_kube.errors import CredentialError
from meshery_kube.kubeconfigs import ExecPlugin, Server, User
from meshery_kube.plugins import run_plugin

SECRET = "s3cr3t-t0ken-value"
V1 = "client.authentication.k8s.io/v1"


class FakeTime:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def a_context(user: User) -> Context:
    return Context("c", Server("c", "https://c", authority="PEM", tls_server_name="kube"), user)


def a_plugin(folder: Path, script: str) -> Context:
    command = folder / "plugin"
    command.write_text(f"#!{sys.executable}\n{script}")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    plugin = ExecPlugin(
        str(command),
        ("get", "token"),
        (("EXTRA", "yes"),),
        provide_cluster_info=True,
        install_hint="Install it",
    )
    return a_context(User("u", exec_plugin=plugin))


def printing(status: str, version: str = V1) -> str:
    return f'print(\'{{"kind":"ExecCredential","apiVersion":"{version}","status":{status}}}\')'


async def test_a_token_file_is_read_again_after_a_minute_and_after_a_401(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    time = FakeTime()
    credentials = TokenFileCredentials(User("u", token_file=file), time)
    assert (await credentials.identity()).authorization == "Bearer first"
    file.write_text("second")
    assert (await credentials.identity()).authorization == "Bearer first"
    time.now += 61
    assert (await credentials.identity()).authorization == "Bearer second"
    assert not await credentials.renew()
    file.write_text("third")
    assert await credentials.renew()
    assert (await credentials.identity()).authorization == "Bearer third"
    file.write_text(" ")
    with pytest.raises(CredentialError):
        await credentials.renew()
    file.unlink()
    with pytest.raises(CredentialError):
        await credentials.renew()


async def test_precedence_is_that_of_client_go(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    both = User("u", token="fixed", token_file=tmp_path / "token", username="bob", password="pw")
    assert (await credentials_for(a_context(both)).identity()).authorization == "Bearer from-file"
    token = replace(both, token_file=None)
    assert (await credentials_for(a_context(token)).identity()).authorization == "Bearer fixed"
    password = credentials_for(a_context(replace(token, token=None)))
    assert (await password.identity()).authorization == "Basic Ym9iOnB3"
    assert not await password.renew()
    nothing = credentials_for(a_context(User("u")))
    assert (await nothing.identity()).authorization is None


async def test_a_plugin_is_told_about_the_cluster_and_run_once_until_expiry(
    tmp_path: Path,
) -> None:
    count = tmp_path / "count"
    script = f"""
import json, os, pathlib, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["spec"]["interactive"] is False
assert info["spec"]["cluster"]["tls-server-name"] == "kube"
assert os.environ["EXTRA"] == "yes" and sys.argv[1:] == ["get", "token"]
count = pathlib.Path({str(count)!r})
runs = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(runs))
{printing('{"token":"t%d","expirationTimestamp":"1970-01-01T01:00:00Z"}')} """.replace("}}')", "}}' % runs)")
    time = FakeTime()
    credentials = PluginCredentials(a_plugin(tmp_path, script), time)
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(credentials.identity()) for _ in range(5)]
    assert {task.result().authorization for task in found} == {"Bearer t1"}
    time.now = 3_600 - 59
    assert (await credentials.identity()).authorization == "Bearer t2"
    time.now = 0
    assert (await credentials.identity()).authorization == "Bearer t2"
    assert await credentials.renew()
    assert (await credentials.identity()).authorization == "Bearer t3"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (f"print('{SECRET}')", "no usable"),
        (f"import sys; print('{SECRET}', file=sys.stderr); sys.exit(3)", "code 3.*Install it"),
        (printing(f'{{"token":"{SECRET}"}}', "v1"), "apiVersion"),
        (printing("{}"), "neither"),
        (printing('{"clientCertificateData":"x"}'), "neither"),
        (printing('{"token":"t","expirationTimestamp":"soon"}'), "expirationTimestamp"),
        (printing('{"token":"t","expirationTimestamp":5}'), "expirationTimestamp"),
        ("print('x' * 3_000_000)", "1 MiB"),
    ],
)
async def test_a_failing_plugin_is_a_typed_error_without_its_output(
    tmp_path: Path, script: str, says: str
) -> None:
    with pytest.raises(CredentialError, match=says) as caught:
        await run_plugin(a_plugin(tmp_path, script))
    assert SECRET not in str(caught.value)


async def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    context = a_plugin(tmp_path, "")
    (tmp_path / "plugin").unlink()
    with pytest.raises(CredentialError, match="cannot be started"):
        await run_plugin(context)


async def test_a_hanging_plugin_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, time
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
time.sleep(60)
"""
    with pytest.raises(CredentialError, match="within"):
        await run_plugin(a_plugin(tmp_path, script), timeout=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_impersonation_is_written_into_headers() -> None:
    headers = impersonation_headers(
        Impersonation("bob", "7", ("g1", "g2"), (("example.org/scope ä", ("a", "b")),))
    )
    assert headers == [
        ("Impersonate-User", "bob"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "g1"),
        ("Impersonate-Group", "g2"),
        ("Impersonate-Extra-example.org%2Fscope%20%C3%A4", "a"),
        ("Impersonate-Extra-example.org%2Fscope%20%C3%A4", "b"),
    ]
    assert impersonation_headers(None) == []
    for bad in ("", "bob\r\nX-Evil: 1"):
        with pytest.raises(CredentialError):
            impersonation_headers(Impersonation(bad))
