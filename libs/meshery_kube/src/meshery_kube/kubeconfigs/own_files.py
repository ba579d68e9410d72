"""The kubeconfig of the machine we run on, and the identity that a Pod is given.

These files belong to whoever started us, so paths are resolved and exec plug-ins accepted. Never
call this with text that came from elsewhere: that is what `uploads` is for.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from meshery_kube.errors import FieldRefused, KubeconfigMalformed
from meshery_kube.kubeconfigs.contexts import (
    Context,
    ExecPlugin,
    Impersonation,
    Kubeconfig,
    Server,
    User,
)
from meshery_kube.kubeconfigs.documents import YAMLLimits, read_document
from meshery_kube.kubeconfigs.entries import (
    Entries,
    Entry,
    check_pem,
    flag_of,
    pem_of,
    read_entries,
    text_of,
    texts_of,
)
from meshery_kube.kubeconfigs.refusals import PLAIN_CREDENTIAL, Refusals
from meshery_kube.kubeconfigs.uploads import check_user

_LIMITS = YAMLLimits(max_bytes=16 << 20, max_events=2_000_000, max_aliases=100)
_HOME = "\0folder"
"""Key under which an entry remembers the folder of its file: no YAML key holds a NUL."""
_EXEC_VERSIONS = frozenset({"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"})
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def own_kubeconfig(
    paths: Sequence[Path] | None = None, environment: Mapping[str, str] | None = None
) -> Kubeconfig:
    """Read and merge the machine's files: `paths`, else $KUBECONFIG, else ~/.kube/config.

    The first file that names a cluster, user, context or current context wins, as in kubectl;
    files that do not exist are passed over. Reads small files: call it at start, not in a loop.
    Raises KubeconfigMalformed and KubeconfigTooLarge; single contexts that cannot be used stand
    in `refused`.
    """
    environment = os.environ if environment is None else environment
    if paths is None:
        listed = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
        paths = [Path(part) for part in listed] or [Path("~/.kube/config").expanduser()]
    entries = _merged(paths)
    contexts: list[Context] = []
    refused: dict[str, tuple[FieldRefused, ...]] = {}
    for name, entry in entries.contexts.items():
        problems = Refusals(name, str(entry.get("cluster") or ""), str(entry.get("user") or ""))
        server = _read_server(entries.clusters.get(problems.cluster), problems)
        user = _read_user(entries.users.get(problems.user), problems)
        namespace = text_of(entry, "namespace", f"context {name!r}")
        if problems.found:
            refused[name] = tuple(problems.found)
        else:
            contexts.append(Context(name, server, user, namespace or "default"))
    return Kubeconfig(tuple(contexts), entries.current, MappingProxyType(refused))


def in_cluster_context(
    environment: Mapping[str, str] | None = None, folder: Path = SERVICE_ACCOUNT
) -> Context:
    """The identity of the Pod we run in; its token file is read again as it is rotated.

    Raises KubeconfigMalformed when we do not run in a Pod with a service account.
    """
    environment = os.environ if environment is None else environment
    host = environment.get("KUBERNETES_SERVICE_HOST")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").is_file():
        raise KubeconfigMalformed("not running in a Pod with a service account token")
    namespace = folder / "namespace"
    return Context(
        name="in-cluster",
        server=Server(
            name="in-cluster",
            url=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            authority=(folder / "ca.crt").read_text("ascii"),
        ),
        user=User("service-account", token_file=folder / "token"),
        namespace=namespace.read_text("utf-8").strip() if namespace.is_file() else "default",
    )


def _merged(paths: Sequence[Path]) -> Entries:
    clusters: dict[str, Entry] = {}
    users: dict[str, Entry] = {}
    contexts: dict[str, Entry] = {}
    current: str | None = None
    for path in paths:
        if not path.is_file():
            continue
        try:
            entries = read_entries(read_document(path.read_bytes(), _LIMITS))
        except KubeconfigMalformed as error:
            raise KubeconfigMalformed(f"{path}: {error}") from None
        folder = str(path.parent.absolute())
        for merged, found in (
            (clusters, entries.clusters),
            (users, entries.users),
            (contexts, entries.contexts),
        ):
            for name, entry in found.items():
                merged.setdefault(name, {**entry, _HOME: folder})
        current = current or entries.current
    return Entries(clusters, users, contexts, current)


def _resolve(entry: Entry, path: str) -> Path:
    return Path(str(entry[_HOME])) / path


def _pem(entry: Entry, field: str, where: str, label: str, part: str, problems: Refusals) -> str | None:
    """The PEM from `field`-data, which wins, or from the file that `field` names."""
    data = f"{field}-data"
    if entry.get(data):
        return problems.reading(f"{part}.{data}", lambda: pem_of(entry, data, where, label))
    path = text_of(entry, field, where)
    if path is None:
        return None
    file = _resolve(entry, path)
    return problems.reading(
        f"{part}.{field}",
        lambda: check_pem(file.read_text("ascii", "replace"), f"{field} of {where}", label),
    )


def _read_server(entry: Entry | None, problems: Refusals) -> Server:
    if entry is None:
        problems.add("cluster", "the files have no cluster of that name", "Add it to clusters")
        return Server("", "")
    where = f"cluster {problems.cluster!r}"
    proxy = text_of(entry, "proxy-url", where)
    if proxy is not None and not proxy.startswith(("http://", "https://")):
        problems.add("cluster.proxy-url", "only http and https proxies work", "Use such a proxy")
    return Server(
        name=problems.cluster,
        url=problems.check_url(text_of(entry, "server", where), allow_http=True),
        authority=_pem(entry, "certificate-authority", where, "CERTIFICATE", "cluster", problems),
        tls_server_name=text_of(entry, "tls-server-name", where),
        verify_tls=not flag_of(entry, "insecure-skip-tls-verify", where),
        proxy_url=proxy,
        compression=not flag_of(entry, "disable-compression", where),
    )


def _read_user(entry: Entry | None, problems: Refusals) -> User:
    if entry is None:
        if problems.user:
            problems.add("user", "the files have no user of that name", "Add it to users")
        return User("")
    where = f"user {problems.user!r}"
    if entry.get("auth-provider"):
        problems.add("user.auth-provider", "it went out of use with Kubernetes 1.26", PLAIN_CREDENTIAL)
    token_file = text_of(entry, "tokenFile", where)
    user = User(
        name=problems.user,
        token=text_of(entry, "token", where),
        token_file=_resolve(entry, token_file) if token_file else None,
        certificate=_pem(entry, "client-certificate", where, "CERTIFICATE", "user", problems),
        key=_pem(entry, "client-key", where, "PRIVATE KEY", "user", problems),
        username=text_of(entry, "username", where),
        password=text_of(entry, "password", where),
        exec_plugin=_read_plugin(entry, where, problems),
        impersonation=_read_impersonation(entry, where),
    )
    check_user(user, problems)
    return user


def _read_plugin(entry: Entry, where: str, problems: Refusals) -> ExecPlugin | None:
    section = entry.get("exec")
    if section is None:
        return None
    if not isinstance(section, dict):
        raise KubeconfigMalformed(f"exec of {where} is not a mapping")
    command = text_of(section, "command", f"exec of {where}")
    version = text_of(section, "apiVersion", f"exec of {where}") or ""
    if command is None:
        problems.add("user.exec.command", "it is missing", "Name the plug-in's command")
        return None
    if version not in _EXEC_VERSIONS:
        problems.add(
            "user.exec.apiVersion",
            "only client.authentication.k8s.io/v1 and v1beta1 are supported",
            "Update the plug-in and the kubeconfig that it writes",
        )
    if text_of(section, "interactiveMode", f"exec of {where}") == "Always":
        problems.add("user.exec.interactiveMode", "nobody is there to answer", PLAIN_CREDENTIAL)
    # A command with a slash is relative to its file; a bare name is looked up in PATH.
    if os.sep in command:
        command = str(_resolve(entry, command))
    environment: list[tuple[str, str]] = []
    listed = section.get("env")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict):
            name = text_of(item, "name", f"exec.env of {where}")
            if name:
                environment.append((name, text_of(item, "value", f"exec.env of {where}") or ""))
    return ExecPlugin(
        command=command,
        arguments=texts_of(section, "args", f"exec of {where}"),
        environment=tuple(environment),
        api_version=version,
        provide_cluster_info=flag_of(section, "provideClusterInfo", f"exec of {where}"),
        install_hint=text_of(section, "installHint", f"exec of {where}") or "",
    )


def _read_impersonation(entry: Entry, where: str) -> Impersonation | None:
    user = text_of(entry, "as", where)
    if user is None:
        return None
    listed = entry.get("as-user-extra")
    extra = listed if isinstance(listed, dict) else {}
    return Impersonation(
        user=user,
        uid=text_of(entry, "as-uid", where) or "",
        groups=texts_of(entry, "as-groups", where),
        extra=tuple((key, texts_of(extra, key, f"as-user-extra of {where}")) for key in extra),
    )
