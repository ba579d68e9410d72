"""What goes wrong between us and a cluster, in the words of our own contract.

The texts come from `meshery_kube`, which keeps credentials out of them.
"""

from __future__ import annotations

import meshery_kube.errors as kube
from meshery_connections.domain.connections import HealthWord
from meshery_contracts.errors import (
    Conflict,
    DeadlineExceeded,
    FieldProblem,
    Forbidden,
    Invalid,
    NotFound,
    ProblemError,
    RateLimited,
    TooLarge,
    Unavailable,
)
from meshery_kube import KindNotServed

_TLS_REMEDY = {
    kube.Fault.TLS_UNKNOWN_AUTHORITY: "Put the cluster's certificate authority into certificate-authority-data.",
    kube.Fault.TLS_HOST_MISMATCH: "Use an address that the certificate names, or set tls-server-name.",
    kube.Fault.TLS_EXPIRED: "Renew the API server's certificate.",
    kube.Fault.TLS_CLIENT_CERTIFICATE: "Upload a kubeconfig with a client certificate that the cluster accepts.",
}
_REACH_REMEDY = "Check that the cluster runs and that its address can be reached from here, then try again."


def problem_of(error: kube.KubeError, cluster: str = "the cluster") -> ProblemError:
    """The error of ours that stands for one of a cluster."""
    text = str(error)
    if isinstance(error, kube.KubeconfigError):
        return kubeconfig_problem(error)
    if isinstance(error, KindNotServed | kube.KindNotFound):
        return NotFound(
            text[:1].upper() + text[1:] + ".",
            code="kind_unknown",
            cause="The CRD is not installed, or this version of the API is gone.",
            remedy="Install what brings the kind, or use an apiVersion that the cluster serves.",
        )
    if isinstance(error, kube.AddressRefused):
        return Invalid(
            f"{cluster} cannot be used: {text}.",
            code="address_refused",
            cause="Only addresses that the installation's address policy allows are connected to.",
            remedy="Use the cluster's public address, or have the installation allow private addresses.",
        )
    if isinstance(error, kube.Unreachable):
        return Unavailable(
            f"{cluster} cannot be reached ({error.fault.value}).",
            code="cluster_unreachable",
            detail=text,
            remedy=_TLS_REMEDY.get(error.fault, _REACH_REMEDY),
        )
    if isinstance(error, kube.Timeout):
        return DeadlineExceeded(
            f"{cluster} did not answer in time.", code="cluster_timeout", detail=text, remedy=_REACH_REMEDY
        )
    if isinstance(error, kube.ApiError):
        return _refusal(error, cluster, text)
    if isinstance(error, kube.CredentialError):
        return Unavailable(
            f"There is no credential for {cluster}.",
            code="credential_unavailable",
            detail=text,
            remedy="Sign in with the cluster's own command line tool, then try again.",
        )
    if isinstance(error, kube.NameRefused):
        return Invalid(text[:1].upper() + text[1:] + ".", code="name_invalid", remedy="Correct the name.")
    return Unavailable(
        f"{cluster} gave an answer that cannot be used.",
        code="cluster_answer",
        detail=text,
        remedy="Check that the address is that of a Kubernetes API server.",
    )


def _refusal(error: kube.ApiError, cluster: str, text: str) -> ProblemError:
    fields = tuple(FieldProblem(path=cause.field, message=cause.message) for cause in error.causes)
    if isinstance(error, kube.Unauthorized):
        return Forbidden(
            f"{cluster} does not accept the credential.",
            code="cluster_unauthorized",
            detail=text,
            cause="The token or certificate has expired or was revoked.",
            remedy="Upload a kubeconfig with a valid credential.",
        )
    if isinstance(error, kube.Forbidden):
        return Forbidden(
            f"{cluster} does not let the credential do this.",
            code="cluster_forbidden",
            detail=text,
            remedy="Grant the account of the connection the right that the detail names (a Role or ClusterRole).",
        )
    if isinstance(error, kube.Conflict):
        return _conflict(error, text)
    if isinstance(error, kube.NotFound):
        named = (
            f"{error.status.kind} '{error.status.name}'" if error.status.name else "What the request names"
        )
        return NotFound(
            f"{named} does not exist in {cluster}.",
            code="object_unknown",
            detail=text,
            remedy="Create the namespace or object first.",
        )
    if isinstance(error, kube.TooLarge):
        return TooLarge(f"{cluster} does not take an object of this size.", detail=text)
    if isinstance(error, kube.TooManyRequests):
        return RateLimited(
            f"{cluster} sheds load.",
            detail=text,
            retry_after_seconds=error.retry_after,
            remedy="Try again later.",
        )
    if isinstance(error, kube.ServerFault):
        return Unavailable(
            f"{cluster} failed to do it.",
            code="cluster_failed",
            detail=text,
            cause="The API server, an admission webhook or an aggregated API behind it failed.",
            remedy="Try again; if it fails again, look at the webhooks and API services of the cluster.",
        )
    return Invalid(
        f"{cluster} refuses the object.",
        code="object_refused",
        detail=text,
        fields=fields,
        remedy="Correct the fields that are named; see the schema of the kind.",
    )


def _conflict(error: kube.Conflict, text: str) -> Conflict:
    owned = error.field_conflicts
    if not owned:
        return Conflict(
            "The object was changed by somebody else.",
            code="object_conflict",
            detail=text,
            remedy="Read it again and repeat the change.",
        )
    managers = sorted({one.manager for one in owned})
    named = ", ".join(repr(one) for one in managers)
    return Conflict(
        f"{named} manage{'s' if len(managers) == 1 else ''} fields that are to be changed: "
        f"{', '.join(one.field for one in owned)}.",
        code="field_conflict",
        detail=text,
        fields=tuple(FieldProblem(path=one.field, message=f"managed by '{one.manager}'") for one in owned),
        cause="Another tool or controller set these fields before and still looks after them.",
        remedy="Leave the fields out, or apply with force to take them over.",
    )


def kubeconfig_problem(error: kube.KubeconfigError) -> ProblemError:
    """Why a kubeconfig, or one context of it, is not used."""
    text = str(error)
    sentence = f"The kubeconfig cannot be used: {text}."
    if isinstance(error, kube.FieldRefused):
        return Invalid(
            f"Context '{error.context}' is refused: {error.field} is not accepted.",
            code="kubeconfig_field_refused",
            fields=(FieldProblem(path=error.field, message=error.reason),),
            cause=f"{error.field}: {error.reason}.",
            remedy=error.remedy.rstrip(".") + ".",
        )
    if isinstance(error, kube.KubeconfigTooLarge):
        return TooLarge(
            sentence, code="kubeconfig_too_large", remedy="Upload only the contexts that are needed."
        )
    if isinstance(error, kube.ContextNotFound):
        return NotFound(
            f"{text[:1].upper()}{text[1:]}.", code="context_unknown", remedy="Choose one of these."
        )
    return Invalid(
        sentence,
        code="kubeconfig_invalid",
        remedy="Upload what `kubectl config view --raw --flatten` prints.",
    )


def health_word(error: kube.KubeError) -> HealthWord:
    """What a failed health check says of a cluster."""
    if isinstance(error, kube.Unauthorized | kube.CredentialError):
        return HealthWord.UNAUTHORIZED
    if isinstance(error, kube.Forbidden):
        return HealthWord.FORBIDDEN
    if isinstance(error, kube.Timeout):
        return HealthWord.TIMEOUT
    if isinstance(error, kube.Unreachable):
        return HealthWord.UNREACHABLE
    return HealthWord.FAILING
