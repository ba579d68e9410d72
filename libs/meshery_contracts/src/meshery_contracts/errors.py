"""The closed set of errors that a service may answer with, and the body that explains one.

Every error says what is wrong, where, why that probably is, and how to mend it. What must not be in here:
stack traces, SQL, secrets, or the text of an unforeseen exception.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Word(StrEnum):
    """The error words of every surface: NATS, REST and GraphQL."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


#: The number beside each word: the HTTP status, and the numeric code that NATS ADR-32 asks for.
STATUS: dict[Word, int] = {
    Word.INVALID: 400,
    Word.UNAUTHENTICATED: 401,
    Word.FORBIDDEN: 403,
    Word.NOT_FOUND: 404,
    Word.CONFLICT: 409,
    Word.TOO_LARGE: 413,
    Word.RATE_LIMITED: 429,
    Word.UNAVAILABLE: 503,
    Word.TIMEOUT: 504,
    Word.INTERNAL: 500,
}


class FieldProblem(BaseModel):
    """One thing wrong with one place of a request or document."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(description="Where: a dotted path such as `components.3.configuration.spec.replicas`.")
    message: str = Field(description="What is wrong there, and what was expected.")


class Problem(BaseModel):
    """The body of every error reply."""

    model_config = ConfigDict(frozen=True)

    word: Word
    title: str = Field(description="One sentence: what is wrong.")
    code: str = Field(default="", description="A stable name for this very situation, e.g. `design_stale`.")
    detail: str = ""
    fields: tuple[FieldProblem, ...] = ()
    probable_cause: tuple[str, ...] = ()
    remediation: tuple[str, ...] = ()
    retry_after_seconds: float | None = None
    trace_id: str = ""

    @property
    def status(self) -> int:
        """The HTTP status of this problem."""
        return STATUS[self.word]


class ProblemError(Exception):
    """Something the caller can act on. Raise one of the subclasses; the bus and the gateway carry it over."""

    word: ClassVar[Word] = Word.INTERNAL

    def __init__(
        self,
        title: str,
        *,
        code: str = "",
        detail: str = "",
        fields: tuple[FieldProblem, ...] = (),
        cause: str | tuple[str, ...] = (),
        remedy: str | tuple[str, ...] = (),
        retry_after_seconds: float | None = None,
        trace_id: str = "",
    ) -> None:
        super().__init__(title)
        self.problem = Problem(
            word=self.word,
            title=title,
            code=code or self.word.value,
            detail=detail,
            fields=fields,
            probable_cause=(cause,) if isinstance(cause, str) else cause,
            remediation=(remedy,) if isinstance(remedy, str) else remedy,
            retry_after_seconds=retry_after_seconds,
            trace_id=trace_id,
        )


class Invalid(ProblemError):
    """The request is wrong; sending it again unchanged cannot help."""

    word = Word.INVALID


class Unauthenticated(ProblemError):
    """Nobody knows who is asking."""

    word = Word.UNAUTHENTICATED


class Forbidden(ProblemError):
    """The caller is known and may not do this."""

    word = Word.FORBIDDEN


class NotFound(ProblemError):
    """There is no such thing, or none that the caller may know of."""

    word = Word.NOT_FOUND


class Conflict(ProblemError):
    """The state of things does not allow it now, e.g. somebody saved in between."""

    word = Word.CONFLICT


class TooLarge(ProblemError):
    """The request or the answer is over a documented limit."""

    word = Word.TOO_LARGE


class RateLimited(ProblemError):
    """Too many requests; try again after `retry_after_seconds`."""

    word = Word.RATE_LIMITED


class Unavailable(ProblemError):
    """Something needed is away for now; nothing was done; trying again later can help."""

    word = Word.UNAVAILABLE


class DeadlineExceeded(ProblemError):
    """The time ran out; whether the work was done is not known."""

    word = Word.TIMEOUT


class Internal(ProblemError):
    """Our fault. Carries a trace id and nothing of the cause."""

    word = Word.INTERNAL


_BY_WORD: dict[Word, type[ProblemError]] = {
    kind.word: kind
    for kind in (
        Invalid,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        TooLarge,
        RateLimited,
        Unavailable,
        DeadlineExceeded,
        Internal,
    )
}


def error_from(problem: Problem) -> ProblemError:
    """The exception that a received problem stands for."""
    kind = _BY_WORD[problem.word]
    error = kind(problem.title)
    error.problem = problem
    return error


def not_valid(error: ValidationError, name: str) -> Invalid:
    """The problem with a request of this name that does not fit its model: where, and what was expected."""
    fields = tuple(
        FieldProblem(path=".".join(str(part) for part in one["loc"]), message=one["msg"])
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    )
    named = ", ".join(field.path for field in fields[:3] if field.path)
    return Invalid(
        f"The request of {name} is not valid" + (f" at {named}." if named else "."),
        code="request_invalid",
        fields=fields,
        remedy="Send the fields that the endpoint's schema names, in its types.",
    )
