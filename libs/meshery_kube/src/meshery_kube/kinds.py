"""A kind of object that a cluster serves, and the paths of its objects."""

from dataclasses import dataclass
from urllib.parse import quote

from meshery_kube.errors import NameRefused


def segment(text: str, what: str) -> str:
    """`text` as one path segment, so that a name can never lead to another path.

    Raises NameRefused for what the API server refuses as well
    (k8s.io/apimachinery pkg/api/validation/path/name.go).
    """
    if text in ("", ".", "..") or "/" in text or "%" in text or len(text) > 253 * 4:
        raise NameRefused(f"{what} {text[:100]!r} cannot be the name of an object")
    return quote(text, safe=":@$+,;=!*'()~")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version, as discovery describes it.

    `plural` is the name in paths (`deployments`), `verbs` what the server serves (not what we may
    do), `subresources` names such as `status`, `scale`, `log`.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion` of its objects: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified_name(self) -> str:
        """`deployments.v1.apps`: unique, and safe in logs and metric labels."""
        return f"{self.plural}.{self.version}.{self.group or 'core'}"

    def can(self, *verbs: str) -> bool:
        """True when the server serves all of `verbs` for this kind."""
        return self.verbs.issuperset(verbs)

    def collection_path(self, namespace: str | None = None) -> str:
        """Path of the list, of one namespace or (None) of all. Raises NameRefused."""
        version = segment(self.version, "version")
        root = f"/apis/{segment(self.group, 'group')}/{version}" if self.group else f"/api/{version}"
        if self.namespaced and namespace is not None:
            root += f"/namespaces/{segment(namespace, 'namespace')}"
        return f"{root}/{segment(self.plural, 'kind')}"

    def object_path(self, name: str, namespace: str | None = None, subresource: str | None = None) -> str:
        """Path of one object; a namespace given for a cluster-wide kind is passed over.

        Raises NameRefused, also when a namespaced kind comes without a namespace.
        """
        if self.namespaced and namespace is None:
            raise NameRefused(f"{self.kind} {name[:100]!r} needs a namespace")
        path = f"{self.collection_path(namespace)}/{segment(name, self.kind)}"
        return path if subresource is None else f"{path}/{segment(subresource, 'subresource')}"


_COMMON = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False, verbs=_COMMON)
POD = Kind("", "v1", "Pod", "pods", namespaced=True, verbs=_COMMON)
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
    verbs=_COMMON,
)
API_SERVICE = Kind(
    "apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False, verbs=_COMMON
)
