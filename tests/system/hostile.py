"""What an attacker sends: values, bodies, documents, kubeconfigs. And what every answer to him must look like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

#: For ids in paths, for query parameters and for texts in bodies.
VALUES = (
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "' or '1'='1",
    "1; drop table designs; --",
    "%' union select password from users --",
    "\\",
    "%",
    "_",
    "\x00",
    "a\x00b",
    "a\r\nSet-Cookie: stolen=1",
    "²",
    "٣",
    "-1",
    "99999999999999999999",
    "1e400",
    "NaN",
    "$(touch /tmp/x)",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\u202etxt.exe",
    "\ud7ff\uffff",
    "💥" * 200,
    "x" * 10_000,
    "*",
    ">",
    "meshery.rpc.>",
    "[",
    '["a", 1]',
    "[[[[]]]]",
    "null",
    "00000000-0000-0000-0000-000000000000",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "{00000000-0000-0000-0000-000000000000}",
)

#: Names that the routes look for in bodies, in either spelling.
FIELDS = (
    "name",
    "id",
    "ids",
    "pattern_data",
    "patternData",
    "pattern_file",
    "patternId",
    "patterns",
    "file",
    "fileName",
    "save",
    "url",
    "k8s_manifest",
    "location",
    "visibility",
    "base_version",
    "purpose",
    "keys",
    "status",
    "query",
    "variables",
    "operationName",
    "description",
    "severity",
    "actedUpon",
    "metadata",
    "contexts",
    "connectionIds",
    "designId",
    "design",
    "document",
    "definition_id",
    "uploadType",
    "importBody",
    "modelFile",
    "model_csv",
    "chart",
    "sheets",
    "model",
    "data",
    "validationItems",
    "connection",
    "host",
    "entity",
    "entityType",
    "options",
    "base",
    "components",
    "state",
    "enforcement",
    "version",
)

_TYPES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5e300,
    "",
    "\x00",
    "a\r\nb",
    "x" * 10_000,
    [],
    [None],
    [[[]]],
    ["\x00"],
    {},
    {"": None},
    {"a": {"b": {"c": [1, {"d": None}]}}},
    {"\x00": "\x00"},
)


def json_bodies() -> list[bytes]:
    """Bodies that are no JSON, no object, or an object with every known field of the wrong type."""
    plain = [
        b"{",
        b"]",
        b"\xff\xfe",
        b"\x00",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b"true",
        b"NaN",
        b'{"name": "\\ud800"}',
        b'{"a": 1' + b"0" * 5000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ]
    whole = [json.dumps(dict.fromkeys(FIELDS, value)).encode() for value in _TYPES]
    # What is inside `pattern_data` has names of its own.
    inner = [json.dumps({"pattern_data": dict.fromkeys(FIELDS, value)}).encode() for value in _TYPES]
    # So is what is inside of an import.
    inner += [
        json.dumps({"uploadType": kind, "importBody": dict.fromkeys(FIELDS, value)}).encode()
        for kind in ("file", "csv")
        for value in _TYPES
    ]
    return plain + whole + inner


def single_field_bodies() -> list[bytes]:
    """One field of the wrong type at a time: what comes first in a handler does not hide what comes after."""
    sound = {
        "name": "sound",
        "save": True,
        "pattern_data": {"pattern_file": '{"name": "x", "components": []}'},
    }
    return [json.dumps({**sound, field: value}).encode() for field in FIELDS for value in _TYPES]


def documents(witness: str) -> dict[str, bytes]:
    """Files for the import that try to cost too much or to do something: `witness` is a file they would make."""
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    merges = "a0: &a0 {k: v}\n" + "".join(
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
    )
    return {
        "billion laughs": laughs.encode(),
        "merge keys": merges.encode(),
        "itself": b"a: &a [*a]",
        "itself as a component": b"name: x\ncomponents: &c [{component: {kind: A, version: v1}, configuration: *c}]",
        "deep list": b"[" * 100_000,
        "deep maps": b"{a: " * 50_000,
        "deep blocks": b"".join(b" " * n + b"- \n" for n in range(2000)),
        "python object": f"!!python/object/apply:os.system ['touch {witness}']".encode(),
        "unknown tag": b"a: !evil b",
        "many documents": b"---\n{}\n" * 20_000,
        "no text": bytes(range(256)) * 10,
        "nul": b'name: "a\\0b"\ncomponents: []',
        "surrogate": b'{"name": "\\ud800", "components": []}',
        "not a number": b"name: x\ncomponents: [{component: {kind: A}, configuration: {a: .nan, b: .inf}}]",
        "huge number": b"name: x\ncomponents: [{configuration: {a: " + b"9" * 10_000 + b"}}]",
        "date": b"name: 2001-01-01\ncomponents: [{configuration: {a: 2001-01-01T00:00:00Z}}]",
        "odd keys": b"? [a, b]\n: c\n1: 2\nnull: 3\n",
        "binary": b"name: !!binary aGVsbG8=\ncomponents: !!set {a, b}",
        "components is a number": b"name: x\ncomponents: 1",
        "components of numbers": b"name: x\ncomponents: [1, null, [], 'a']",
        "kind is a list": b"apiVersion: [v1]\nkind: {a: b}\nmetadata: []",
        "metadata of numbers": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1, namespace: [x], labels: 3}",
        "long name": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + b"x" * 10_000 + b"}",
        "long kind": b"apiVersion: v1\nkind: " + b"K" * 100_000 + b"\nmetadata: {name: x}",
        "traversal": b"apiVersion: ../../v1\nkind: ../Secret\nmetadata: {name: ../../x, namespace: ../y}",
        "nothing": b"",
        "comment": b"# nothing",
        "zip": b"PK\x03\x04" + b"\x00" * 100,
        "gzip": b"\x1f\x8b\x08" + b"\x00" * 100,
    }


def kubeconfig(*, cluster: str = "server: https://127.0.0.1:1", user: str = "token: x") -> str:
    """A kubeconfig with these lines in its cluster and its user."""
    return (
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        f"clusters: [{{name: c, cluster: {{{cluster}}}}}]\n"
        f"users: [{{name: u, user: {{{user}}}}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )


def kubeconfigs(witness: str) -> dict[str, str]:
    """Kubeconfigs that want to run something, to read our files, to send us elsewhere. `witness` is a file that a
    command would make."""
    run = f"command: /bin/sh, args: [-c, 'touch {witness}'], apiVersion: client.authentication.k8s.io/v1"
    return {
        "exec": kubeconfig(user=f"exec: {{{run}, interactiveMode: Never}}"),
        "auth-provider": kubeconfig(
            user=f"auth-provider: {{name: gcp, config: {{cmd-path: touch, cmd-args: {witness}}}}}"
        ),
        "token file": kubeconfig(user="tokenFile: /etc/passwd"),
        "certificate file": kubeconfig(user="client-certificate: /etc/passwd, client-key: /etc/shadow"),
        "authority file": kubeconfig(
            cluster="server: 'https://127.0.0.1:1', certificate-authority: /etc/passwd"
        ),
        "proxy": kubeconfig(cluster="server: 'https://127.0.0.1:1', proxy-url: 'http://127.0.0.1:2'"),
        "metadata service": kubeconfig(cluster="server: 'http://169.254.169.254/latest/meta-data'"),
        "file server": kubeconfig(cluster="server: 'file:///etc/passwd'"),
        "newline": kubeconfig(cluster='server: "https://127.0.0.1:1/\\r\\nX-Evil: 1"'),
        "no server": kubeconfig(cluster="insecure-skip-tls-verify: true"),
        "server is a list": kubeconfig(cluster="server: [a]"),
        "users are text": kubeconfig().replace("users: [{name: u, user: {token: x}}]", "users: text"),
        "bomb": "a: &a [x]\n" + "".join(f"a{n}: &a{n} [*a, *a]\n" for n in range(50)),
        "recursion": "clusters: &c [*c]",
        "python object": "!!python/object/apply:os.system ['touch " + witness + "']",
        "no yaml": "{{{",
        "text": "hello",
        "nul": kubeconfig(user='token: "a\\0b"'),
        "long name": kubeconfig().replace("name: c", "name: " + "c" * 10_000),
    }


#: What is no HTTP is refused before anything of ours sees it, in these words of aiohttp.
_NO_HTTP = (
    "Got more than",
    "Invalid ",
    "Bad status",
    "Bad Request",
    "Unexpected",
    "Expected",
    "Missing",
    "Data after",
)


@dataclass(frozen=True)
class Answer:
    """An answer to an attack."""

    what: str
    status: int
    text: str

    def wrong(self) -> str:
        """What is wrong with it; empty when nothing is."""
        shown = f"{self.what[:160]}: {self.status} {self.text[:300]}"
        if self.status >= 500:
            return f"{shown}: never 5xx"
        if any(
            word in self.text for word in ("Traceback", 'File "/', "asyncpg", "pydantic", "site-packages")
        ):
            return f"{shown}: shows our inside"
        if self.status == 0:
            return f"{shown}: no answer"
        if self.status < 400 or (self.status == 400 and self.text.startswith(_NO_HTTP)):
            return ""
        try:
            told = json.loads(self.text)
        except ValueError:
            return f"{shown}: no JSON"
        lacking = [one for one in ("error", "code", "word", "severity") if not told.get(one)]
        return f"{shown}: lacks {lacking}" if lacking else ""
