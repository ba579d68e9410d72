"""An OPA server, which evaluates Rego policies. The operator names it; no person's URL comes here.

A policy is put under a name of its own, asked once and removed: what one organisation's policy says never mixes with
another's. One server therefore serves one registry process, as a sidecar does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import orjson
from pydantic import SecretStr

from meshery_contracts.errors import FieldProblem, Invalid, ProblemError, TooLarge, Unavailable
from meshery_web import AddressPolicy, Fetched, Fetcher, FetchError, FetchPolicy, Reason

#: The largest answer that is read, in bytes.
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_JSON = {"content-type": "application/json"}
_TEXT = {"content-type": "text/plain"}


class OpaClient:
    """The calls of OPA's REST API that evaluating a policy takes."""

    def __init__(self, fetcher: Fetcher, url: str, token: SecretStr | None) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")
        self._authorization = f"Bearer {token.get_secret_value()}" if token is not None else ""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, token: SecretStr | None, *, seconds: float
    ) -> AsyncIterator[OpaClient | None]:
        """A client for the time of the block; None without a URL. `seconds` is what one call may take."""
        if not url:
            yield None
            return
        policy = FetchPolicy(
            addresses=AddressPolicy(allow_private=True, allow_loopback=True),
            allow_http=True,
            ports=None,
            max_bytes=_MAX_ANSWER_BYTES,
            total_seconds=seconds,
            redirects=0,
        )
        async with Fetcher.open(policy) as fetcher:
            yield cls(fetcher, url, token)

    async def evaluate(
        self, source: str, package: str, questions: list[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """What a policy's package holds for each input. Raises Invalid when it does not compile, Unavailable."""
        name = f"meshery-{uuid4().hex}"
        try:
            put = await self._call("PUT", f"/v1/policies/{name}", source.encode(), _TEXT)
            if put.status == 400:
                raise _refused(put)
            _require_ok(put)
            return [await self._ask(package, question) for question in questions]
        finally:
            with suppress(ProblemError):
                await self._call("DELETE", f"/v1/policies/{name}", None, {})

    async def _ask(self, package: str, question: Mapping[str, Any]) -> dict[str, Any]:
        body = orjson.dumps({"input": question})
        answer = await self._call("POST", f"/v1/data/{package.replace('.', '/')}", body, _JSON)
        _require_ok(answer)
        result = _read(answer).get("result", {})
        return result if isinstance(result, dict) else {}

    async def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Fetched:
        try:
            return await self._fetcher.request(
                method,
                f"{self._url}{path}",
                headers=headers,
                authorization=self._authorization,
                body=body,
            )
        except FetchError as error:
            if error.reason is Reason.TOO_LARGE:
                raise TooLarge(
                    f"The OPA server answers with more than {_MAX_ANSWER_BYTES:,} bytes.",
                    code="opa_too_large",
                    remedy="Let the policy say less: only what is in deny, violation and warn is used.",
                ) from None
            raise _away(str(error)) from None


def _require_ok(answer: Fetched) -> None:
    if not 200 <= answer.status < 300:
        raise _away(f"it answers with status {answer.status}")


def _read(answer: Fetched) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise _away("it does not answer in JSON") from None
    return body if isinstance(body, dict) else {}


def _refused(answer: Fetched) -> Invalid:
    """OPA's own complaints about a policy, with their lines."""
    problems = []
    for one in _read(answer).get("errors") or []:
        place = one.get("location") or {}
        message = str(one.get("message") or one.get("code") or "")[:300]
        problems.append(FieldProblem(path=f"source line {place.get('row', '?')}", message=message))
    first = f"{problems[0].path}: {problems[0].message}" if problems else "it does not say why"
    return Invalid(
        f"The OPA server does not take the policy: {first}.",
        code="policy_rego",
        fields=tuple(problems[:100]),
        remedy="Mend the text; `opa check` finds the same.",
    )


def _away(cause: str) -> Unavailable:
    return Unavailable(
        "The OPA server does not answer as it should.",
        code="opa_unavailable",
        cause=cause,
        remedy="Look at the server that REGISTRY_OPA_URL names, and try again.",
    )
