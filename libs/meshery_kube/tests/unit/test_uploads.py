"""What an uploaded kubeconfig may hold, case by case."""

import base64
import copy
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshery_kube import UploadPolicy, self_contained, uploaded_kubeconfig
from meshery_kube.errors import (
    ContextNotFound,
    FieldRefused,
    KubeconfigError,
    KubeconfigMalformed,
    KubeconfigTooLarge,
)

SECRET = "s3cr3t-t0ken-value"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


AUTHORITY = encoded("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
KEY = encoded("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n")


def a_kubeconfig(
    cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **more: Any
) -> str:
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [
            {
                "name": "prod",
                "cluster": {
                    "server": "https://kube.example:6443",
                    "certificate-authority-data": AUTHORITY,
                    **(cluster or {}),
                },
            }
        ],
        "users": [{"name": "alice", "user": {"token": SECRET, **(user or {})}}],
        "contexts": [{"name": "main", "context": {"cluster": "prod", "user": "alice"}}],
        "current-context": "main",
        **more,
    }
    return yaml.safe_dump(document)


def test_a_plain_file_is_read() -> None:
    context = uploaded_kubeconfig(a_kubeconfig()).context()
    assert context.name == "main"
    assert context.namespace == "default"
    assert context.server.url == "https://kube.example:6443"
    assert context.server.authority is not None
    assert context.user.token == SECRET
    assert SECRET not in repr(context)


@pytest.mark.parametrize(
    ("cluster", "user", "field"),
    [
        ({}, {"exec": {"command": "/bin/sh", "apiVersion": "v1"}}, "user.exec"),
        ({}, {"auth-provider": {"name": "gcp"}}, "user.auth-provider"),
        ({}, {"tokenFile": "/etc/passwd"}, "user.tokenFile"),
        ({}, {"client-certificate": "/x"}, "user.client-certificate"),
        ({}, {"client-key": "/x"}, "user.client-key"),
        ({}, {"as": "root"}, "user.as"),
        ({}, {"as-uid": "0"}, "user.as-uid"),
        ({}, {"as-groups": ["system:masters"]}, "user.as-groups"),
        ({}, {"as-user-extra": {"a": ["b"]}}, "user.as-user-extra"),
        ({}, {"username": "bob", "password": "x"}, "user.username"),
        ({}, {"some-new-way": "x"}, "user.some-new-way"),
        ({}, {"client-certificate-data": AUTHORITY}, "user.client-key-data"),
        ({}, {"client-key-data": KEY}, "user.client-certificate-data"),
        ({}, {"client-certificate-data": "%%%", "client-key-data": KEY},
         "user.client-certificate-data"),
        ({}, {"token": "a\nb"}, "user.token"),
        ({}, {"token": ["list"]}, "user.token"),
        ({"certificate-authority": "/etc/passwd"}, {}, "cluster.certificate-authority"),
        ({"certificate-authority-data": encoded("nothing")}, {},
         "cluster.certificate-authority-data"),
        ({"proxy-url": "http://evil"}, {}, "cluster.proxy-url"),
        ({"insecure-skip-tls-verify": True}, {}, "cluster.insecure-skip-tls-verify"),
        ({"insecure-skip-tls-verify": "maybe"}, {}, "cluster.insecure-skip-tls-verify"),
        ({"server": "http://kube.example"}, {}, "cluster.server"),
        ({"server": "ftp://kube.example"}, {}, "cluster.server"),
        ({"server": "https://u:p@kube.example"}, {}, "cluster.server"),
        ({"server": "https://kube.example/?a=b"}, {}, "cluster.server"),
        ({"server": "https://kube.example:99999"}, {}, "cluster.server"),
        ({"server": "https://[::1"}, {}, "cluster.server"),
        ({"server": "https://bücher.example"}, {}, "cluster.server"),
        ({"server": "kube.example:6443"}, {}, "cluster.server"),
        ({"server": None}, {}, "cluster.server"),
        ({"new-key": "x"}, {}, "cluster.new-key"),
    ],
)  # fmt: skip
def test_what_acts_on_our_machine_is_refused_by_name(
    cluster: dict[str, Any], user: dict[str, Any], field: str
) -> None:
    found = uploaded_kubeconfig(a_kubeconfig(cluster, user))
    assert found.contexts == ()
    with pytest.raises(FieldRefused) as caught:
        found.context("main")
    assert field in [refusal.field for refusal in found.refused["main"]]
    assert (caught.value.context, caught.value.cluster) == ("main", "prod")
    assert caught.value.user == "alice"
    assert caught.value.remedy
    assert SECRET not in str(caught.value)


def test_an_organisation_may_allow_more() -> None:
    text = a_kubeconfig(
        {"server": "http://kube.example", "insecure-skip-tls-verify": True},
        {"username": "bob", "password": "pw"},
    )
    policy = UploadPolicy(allow_http=True, allow_insecure_tls=True, allow_password=True)
    context = uploaded_kubeconfig(text, policy).context()
    assert not context.server.verify_tls
    assert context.user.password == "pw"


def test_harmless_unknown_keys_are_tolerated() -> None:
    text = a_kubeconfig(
        {"extensions": [{"name": "x"}], "disable-compression": True},
        {"extensions": []},
        **{"something-else": {"a": 1}},
    )
    assert uploaded_kubeconfig(text).context().server.compression is False


def test_one_refused_context_leaves_the_others_usable() -> None:
    document = yaml.safe_load(a_kubeconfig())
    document["users"].append({"name": "eks", "user": {"exec": {"command": "aws"}}})
    document["contexts"] += [
        {"name": "cloud", "context": {"cluster": "prod", "user": "eks"}},
        {"name": "lost", "context": {"cluster": "gone", "user": "alice"}},
        {"name": "nobody", "context": {"cluster": "prod", "user": "gone"}},
    ]
    found = uploaded_kubeconfig(yaml.safe_dump(document))
    assert found.names == ("main",)
    assert set(found.refused) == {"cloud", "lost", "nobody"}
    assert "kubectl create token" in str(found.refused["cloud"][0])
    with pytest.raises(ContextNotFound) as caught:
        found.context("other")
    assert caught.value.available == ("main",)


def test_without_a_current_context_several_are_ambiguous() -> None:
    document = yaml.safe_load(a_kubeconfig())
    del document["current-context"]
    assert uploaded_kubeconfig(yaml.safe_dump(document)).context().name == "main"
    document["contexts"].append({"name": "second", "context": {"cluster": "prod", "user": "alice"}})
    with pytest.raises(ContextNotFound):
        uploaded_kubeconfig(yaml.safe_dump(document)).context()


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", KubeconfigMalformed),
        ("[]", KubeconfigMalformed),
        ("just text", KubeconfigMalformed),
        ("kind: Pod", KubeconfigMalformed),
        ("kind: Config", KubeconfigMalformed),
        ("contexts: {}", KubeconfigMalformed),
        ("contexts: [x]", KubeconfigMalformed),
        ("contexts: [{name: [a]}]", KubeconfigMalformed),
        ("contexts: [{name: a, context: 5}]", KubeconfigMalformed),
        ("contexts: [{name: a, context: {}}, {name: a, context: {}}]", KubeconfigMalformed),
        ("kind: Config\nkind: Config", KubeconfigMalformed),
        ("a: 1\n---\nb: 2", KubeconfigMalformed),
        ("a: !!python/object/apply:os.system [ls]", KubeconfigMalformed),
        ("a: !!binary aGk=", KubeconfigMalformed),
        ("a: &x [1]\nb: *x", KubeconfigMalformed),
        ("a: *x", KubeconfigMalformed),
        ("? [a]\n: b", KubeconfigMalformed),
        ("a: [", KubeconfigMalformed),
        ("a: \x00", KubeconfigMalformed),
        (b"\xff\xfe\xff", KubeconfigMalformed),
        (BOMB, KubeconfigMalformed),
        ("[" * 500_000, KubeconfigMalformed),
        ("{a: " * 200_000, KubeconfigMalformed),
        ("- a\n" * 250_000, KubeconfigTooLarge),
        (" " * ((1 << 20) + 1), KubeconfigTooLarge),
        ("ä" * (1 << 20), KubeconfigTooLarge),
    ],
    ids=range(26),
)
def test_what_is_no_kubeconfig_is_refused(text: str | bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        uploaded_kubeconfig(text)


def test_errors_do_not_quote_the_file() -> None:
    for text in (f"token: [{SECRET}", f"a: *{SECRET}", f'a: "\\q{SECRET}"', f"{SECRET}: 1: 2"):
        with pytest.raises(KubeconfigMalformed) as caught:
            uploaded_kubeconfig(text)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_scalars_stay_texts() -> None:
    found = uploaded_kubeconfig(a_kubeconfig(user={"token": None}).replace("null", "0123"))
    assert found.context().user.token == "0123"


def test_a_context_survives_being_written_and_read() -> None:
    text = a_kubeconfig({"tls-server-name": "kube"}, {"token": "12345"})
    context = uploaded_kubeconfig(text).context()
    again = uploaded_kubeconfig(self_contained(context)).context()
    assert again == context
    short_lived = uploaded_kubeconfig(self_contained(context, token="other")).context()
    assert short_lived.user.token == "other"


# The first draw of text builds a table of all characters, which takes over a second.
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

BASE = yaml.safe_load(a_kubeconfig())
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)


@FUZZ
@given(st.data())
def test_a_mangled_file_never_escapes_the_hierarchy(data: st.DataObject) -> None:
    document = copy.deepcopy(BASE)
    node: Any = document
    for _ in range(data.draw(st.integers(1, 5))):
        if isinstance(node, dict) and node:
            key: Any = data.draw(st.sampled_from(sorted(node)))
        elif isinstance(node, list) and node:
            key = data.draw(st.integers(0, len(node) - 1))
        else:
            break
        if data.draw(st.booleans()):
            node[key] = data.draw(JUNK)
            break
        node = node[key]
    said = ""
    try:
        uploaded_kubeconfig(yaml.safe_dump(document, allow_unicode=True))
    except KubeconfigError as error:
        said = str(error)
    assert SECRET not in said


@FUZZ
@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with pytest.raises(KubeconfigError):
        uploaded_kubeconfig(text)
