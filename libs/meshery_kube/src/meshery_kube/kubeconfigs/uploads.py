"""A kubeconfig that somebody sends us: data only, nothing that acts on our machine.

Loaded naively such a file runs commands (exec), reads our files (paths) and makes us talk to where
it likes (proxy-url). All of that is refused by name, with the way to a plain file; keys we do not
know are refused wherever they could change where we connect or as whom.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from meshery_kube.errors import FieldRefused, KubeconfigMalformed
from meshery_kube.kubeconfigs.contexts import Context, Kubeconfig, Server, User
from meshery_kube.kubeconfigs.documents import YAMLLimits, read_document
from meshery_kube.kubeconfigs.entries import Entries, Entry, flag_of, pem_of, read_entries, text_of
from meshery_kube.kubeconfigs.refusals import FLATTEN, PLAIN_CREDENTIAL, Refusals


@dataclass(frozen=True, slots=True)
class UploadPolicy:
    """What an organisation lets in beside the safe set. The defaults are the safe set.

    `max_bytes` bounds the text, `max_contexts` the number of contexts in it.
    """

    max_bytes: int = 1 << 20
    max_contexts: int = 500
    allow_http: bool = False
    allow_insecure_tls: bool = False
    allow_password: bool = False


_READS_FILE = "it names a file, and the file would be read on our machine"
_IMPERSONATES = "it asks to act as somebody else"
_NO_IMPERSONATION = "Remove it and use a credential of the person or account that is meant"

_REFUSED_USER_FIELDS: Mapping[str, tuple[str, str]] = {
    "exec": ("it names a command, and the command would run on our machine", PLAIN_CREDENTIAL),
    "auth-provider": ("it needs a plug-in that runs on our machine", PLAIN_CREDENTIAL),
    "tokenFile": (_READS_FILE, f"Put the token itself into users[].user.token. {PLAIN_CREDENTIAL}"),
    "client-certificate": (_READS_FILE, FLATTEN),
    "client-key": (_READS_FILE, FLATTEN),
    "as": (_IMPERSONATES, _NO_IMPERSONATION),
    "as-uid": (_IMPERSONATES, _NO_IMPERSONATION),
    "as-groups": (_IMPERSONATES, _NO_IMPERSONATION),
    "as-user-extra": (_IMPERSONATES, _NO_IMPERSONATION),
}
_KNOWN_USER_FIELDS = frozenset(
    {"token", "client-certificate-data", "client-key-data", "username", "password", "extensions"}
)
_REFUSED_SERVER_FIELDS: Mapping[str, tuple[str, str]] = {
    "certificate-authority": (_READS_FILE, FLATTEN),
    "proxy-url": (
        "it would make us connect to a proxy of the file's choice",
        "Remove it; the API server must be reachable directly, or use the in-cluster agent",
    ),
}
_KNOWN_SERVER_FIELDS = frozenset(
    {
        "server",
        "certificate-authority-data",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "disable-compression",
        "extensions",
    }
)
_NO_UNKNOWN = "Remove it; only the fields of a plain kubeconfig are accepted here"


def uploaded_kubeconfig(text: str | bytes, policy: UploadPolicy | None = None) -> Kubeconfig:
    """Read an uploaded file. Contexts that the policy does not let in stand in `refused`.

    Raises KubeconfigTooLarge and KubeconfigMalformed about the file as a whole. It takes a few
    milliseconds for usual files and up to about a second for a hostile one of full size.
    """
    policy = policy or UploadPolicy()
    entries = read_entries(read_document(text, YAMLLimits(max_bytes=policy.max_bytes)))
    if not entries.contexts:
        raise KubeconfigMalformed("the file has no contexts")
    if len(entries.contexts) > policy.max_contexts:
        raise KubeconfigMalformed(
            f"the file has {len(entries.contexts)} contexts; {policy.max_contexts} are allowed"
        )
    contexts: list[Context] = []
    refused: dict[str, tuple[FieldRefused, ...]] = {}
    for name, entry in entries.contexts.items():
        context, problems = _read_context(name, entry, entries, policy)
        if problems:
            refused[name] = tuple(problems)
        else:
            contexts.append(context)
    return Kubeconfig(tuple(contexts), entries.current, MappingProxyType(refused))


def _read_context(
    name: str, entry: Entry, entries: Entries, policy: UploadPolicy
) -> tuple[Context, list[FieldRefused]]:
    problems = Refusals(name, str(entry.get("cluster") or ""), str(entry.get("user") or ""))
    server = _read_server(entries.clusters.get(problems.cluster), problems, policy)
    user = User("")  # no user named: anonymous, which the server will judge
    if problems.user:
        user = _read_user(entries.users.get(problems.user), problems, policy)
    namespace = problems.reading("namespace", lambda: text_of(entry, "namespace", "the context"))
    return Context(name, server, user, namespace or "default"), problems.found


def _read_server(entry: Entry | None, problems: Refusals, policy: UploadPolicy) -> Server:
    if entry is None:
        problems.add("cluster", "the file has no cluster of that name", "Add it to clusters")
        return Server("", "")
    where = f"cluster {problems.cluster!r}"
    _refuse_fields("cluster", entry, _REFUSED_SERVER_FIELDS, _KNOWN_SERVER_FIELDS, problems)
    url = problems.reading("cluster.server", lambda: text_of(entry, "server", where))
    insecure = problems.reading(
        "cluster.insecure-skip-tls-verify",
        lambda: flag_of(entry, "insecure-skip-tls-verify", where),
    )
    if insecure and not policy.allow_insecure_tls:
        problems.add(
            "cluster.insecure-skip-tls-verify",
            "whoever is in between could read the credential",
            "Put the cluster's certificate authority into certificate-authority-data. " + FLATTEN,
        )
    plain = problems.reading(
        "cluster.disable-compression", lambda: flag_of(entry, "disable-compression", where)
    )
    return Server(
        name=problems.cluster,
        url=problems.check_url(url, allow_http=policy.allow_http),
        authority=problems.reading(
            "cluster.certificate-authority-data",
            lambda: pem_of(entry, "certificate-authority-data", where, "CERTIFICATE"),
        ),
        tls_server_name=problems.reading(
            "cluster.tls-server-name", lambda: text_of(entry, "tls-server-name", where)
        ),
        verify_tls=not insecure,
        compression=not plain,
    )


def _read_user(entry: Entry | None, problems: Refusals, policy: UploadPolicy) -> User:
    if entry is None:
        problems.add("user", "the file has no user of that name", "Add it to users")
        return User("")
    where = f"user {problems.user!r}"
    _refuse_fields("user", entry, _REFUSED_USER_FIELDS, _KNOWN_USER_FIELDS, problems)
    user = User(
        name=problems.user,
        token=problems.reading("user.token", lambda: text_of(entry, "token", where)),
        certificate=problems.reading(
            "user.client-certificate-data",
            lambda: pem_of(entry, "client-certificate-data", where, "CERTIFICATE"),
        ),
        key=problems.reading(
            "user.client-key-data", lambda: pem_of(entry, "client-key-data", where, "PRIVATE KEY")
        ),
        username=problems.reading("user.username", lambda: text_of(entry, "username", where)),
        password=problems.reading("user.password", lambda: text_of(entry, "password", where)),
    )
    check_user(user, problems)
    if (user.username or user.password) and not policy.allow_password:
        problems.add("user.username", "passwords are not accepted", PLAIN_CREDENTIAL)
    return user


def check_user(user: User, problems: Refusals) -> None:
    """Note halves of a pair and tokens that no HTTP header can carry."""
    if bool(user.certificate) != bool(user.key):
        missing = "client-key-data" if user.certificate else "client-certificate-data"
        problems.add(f"user.{missing}", "its other half is there but it is missing", FLATTEN)
    if user.token and not (user.token.isascii() and user.token.isprintable()):
        problems.add("user.token", "it holds characters no token has", PLAIN_CREDENTIAL)


def _refuse_fields(
    part: str,
    entry: Entry,
    refused: Mapping[str, tuple[str, str]],
    known: frozenset[str],
    problems: Refusals,
) -> None:
    for name, value in entry.items():
        if name in refused:
            if value not in (None, ""):
                problems.add(f"{part}.{name}", *refused[name])
        elif name not in known:
            problems.add(f"{part}.{name[:100]}", "it is not a known field", _NO_UNKNOWN)
