"""CEL: expressions to programs, with the functions that rules may use and errors that name place and reason.

Loading the evaluator takes half a second: only the worker process imports this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cel
from cel.stdlib import STDLIB_FUNCTIONS

from meshery_registry.domain.policies.quantities import quantity

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_MOST_REASON_CHARACTERS = 300

#: What the evaluator brings.
_NATIVE = frozenset(
    {
        *(
            "bytes",
            "contains",
            "double",
            "duration",
            "dyn",
            "endsWith",
            "int",
            "matches",
            "size",
            "startsWith",
        ),
        *("string", "timestamp", "type", "uint", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds"),
    }
)
_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_FROM_LIBRARY = (
    *(
        "charAt",
        "distinct",
        "first",
        "flatten",
        "indexOf",
        "join",
        "last",
        "lastIndexOf",
        "lowerAscii",
        "max",
    ),
    *("min", "replace", "reverse", "slice", "sort", "split", "substring", "sum", "trim", "upperAscii"),
)
_ADDED: Mapping[str, Callable[..., Any]] = {
    **{name: STDLIB_FUNCTIONS[name] for name in _FROM_LIBRARY},
    # As in Kubernetes' own admission policies; a quantity is a number here.
    "quantity": quantity,
    "isGreaterThan": lambda one, other: one > other,
    "isLessThan": lambda one, other: one < other,
}


class ExpressionError(Exception):
    """An expression that is wrong, or cannot be evaluated; says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression, and what it asks for."""

    program: Any
    variables: frozenset[str]
    functions: frozenset[str]

    def value(self, context: Context) -> Any:
        """What it comes to. Raises ExpressionError."""
        try:
            return self.program.execute(context.native)
        except Exception as error:  # noqa: BLE001 - whatever the evaluator raises is the expression's fault
            raise ExpressionError(_reason(error)) from None


class Context:
    """Values for some programs. Making one converts the values: one serves all rules that see the same."""

    def __init__(self, values: Mapping[str, Any], programs: Sequence[Program]) -> None:
        wanted = {name for one in programs for name in one.variables}
        functions = {name: _ADDED[name] for one in programs for name in one.functions}
        self.native = cel.Context(
            {name: value for name, value in values.items() if name in wanted}, functions=functions
        )


def compiled(expression: str, known: frozenset[str]) -> Program:
    """A program; `known` are the variables there are. Raises ExpressionError with line, column and reason."""
    try:
        program = cel.compile(expression)
    except Exception as error:  # noqa: BLE001 - the parser raises several kinds
        raise ExpressionError(_syntax(str(error))) from None
    functions = {one for one in program.functions() if _IDENTIFIER.fullmatch(one)}
    for name in sorted(functions - _NATIVE - _ADDED.keys()):
        raise ExpressionError(
            f"there is no function {name!r} (a macro such as all() needs a variable and a condition)"
        )
    bound = set(_BOUND.findall(expression))
    for name in sorted(set(program.variables()) - known - bound - _TYPES):
        raise ExpressionError(f"there is no variable {name!r}; there are {', '.join(sorted(known))}")
    return Program(program, frozenset(program.variables()), frozenset(functions & _ADDED.keys()))


def _syntax(message: str) -> str:
    found = _ERROR.search(message)
    if found is None:
        return message.partition("\n")[0][:_MOST_REASON_CHARACTERS]
    reason = re.sub(r"expecting \{.*", "something is missing", found[3])
    return f"line {found[1]}, column {found[2]}: {reason}"[:_MOST_REASON_CHARACTERS]


def _reason(error: Exception) -> str:
    match error:
        case KeyError():
            return f"there is no key {error.args[0]!r} (ask has() first)"
        case TypeError() if "overload" in str(error) or "Unsupported" in str(error):
            return f"its values are of types that do not go together: {str(error).partition('. CEL')[0]}"
    text = str(error).partition(". Check ")[0].replace("Python function call failed: ", "")
    return (text or type(error).__name__)[:_MOST_REASON_CHARACTERS]
