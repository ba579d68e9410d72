"""What a document may cost, found out before anything runs; and documents that were seen before.

Parsing and validating take most of the time of a small query, so both are done once per text. Depth, aliases and
directives belong to the text; the cost depends on the variables as well, because sizes of lists are among them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
    visit,
)
from graphql.language import DirectiveNode, Visitor

from meshery_gateway.graphql.context import MAX_PAGE_SIZE

MAX_DOCUMENT_BYTES = 32 * 1024
MAX_TOKENS = 4_000
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 10
MAX_DIRECTIVES = 20
MAX_VALIDATION_ERRORS = 10
CACHED_DOCUMENTS = 1_000
#: Arguments that say how long a list is; inside of an input object as well.
SIZE_ARGUMENTS = frozenset({"pageSize", "pagesize", "first", "limit"})
#: The length that is assumed of a list that nobody limits.
ASSUMED_LENGTH = 10
#: What one request on the bus counts for, beside the fields of its answer.
REQUEST_COST = 10
#: Fields below the root that ask a service each: those whose resolvers are coroutines. A test names what is missing.
ASKING = frozenset(
    {
        "Design.versions",
        "Design.runs",
        "Run.design",
        "Import.entries",
        "ImportDelivery.import",
        "Policy.versions",
        "PolicyDelivery.policy",
        "Quarantined.definition",
        "RunDelivery.run",
        "CloneDelivery.design",
        "CloneDelivery.original",
        "ConnectionDelivery.connection",
        "DesignDelivery.design",
    }
)


class Refused(GraphQLError):
    """A document over a limit."""

    def __init__(self, message: str, code: str, remedy: str) -> None:
        super().__init__(
            message,
            extensions={"code": code, "word": "invalid", "suggestedRemediation": [remedy]},
        )


@dataclass(frozen=True)
class Document:
    """A parsed text and what is known of it."""

    ast: DocumentNode
    errors: tuple[GraphQLError, ...]
    operations: Mapping[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: Mapping[str, FragmentDefinitionNode] = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation that is meant. Raises GraphQLError."""
        if name:
            if name in self.operations:
                return self.operations[name]
            raise Refused(
                f"There is no operation {name!r} in the document.",
                "operation_unknown",
                "Name one of the operations that the document defines.",
            )
        if len(self.operations) != 1:
            raise Refused(
                "The document defines several operations." if self.operations else "There is no operation.",
                "operation_ambiguous",
                "Send `operationName`.",
            )
        return next(iter(self.operations.values()))


class Documents:
    """Documents by their text; the least recently used ones are forgotten."""

    def __init__(self, schema: GraphQLSchema, *, max_depth: int, max_cost: int) -> None:
        self._schema = schema
        self._max_depth = max_depth
        self._max_cost = max_cost
        self._known: OrderedDict[bytes, Document] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def read(self, text: str) -> Document:
        """The document of this text, with its errors. Raises GraphQLError when it cannot be parsed."""
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) > MAX_DOCUMENT_BYTES:
            raise Refused(
                f"The document is larger than {MAX_DOCUMENT_BYTES:,} bytes.",
                "document_too_large",
                "Put values into variables, or split the document.",
            )
        name = hashlib.sha256(encoded).digest()
        known = self._known.get(name)
        if known is not None:
            self.hits += 1
            self._known.move_to_end(name)
            return known
        self.misses += 1
        document = self._read(text)
        self._known[name] = document
        if len(self._known) > CACHED_DOCUMENTS:
            self._known.popitem(last=False)
        return document

    def _read(self, text: str) -> Document:
        ast = parse(text, max_lexical_tokens=MAX_TOKENS)
        errors = validate(self._schema, ast, max_errors=MAX_VALIDATION_ERRORS)
        if errors:
            return Document(ast, tuple(errors))
        operations: dict[str, OperationDefinitionNode] = {}
        fragments: dict[str, FragmentDefinitionNode] = {}
        for one in ast.definitions:
            if isinstance(one, OperationDefinitionNode):
                operations[one.name.value if one.name else ""] = one
            elif isinstance(one, FragmentDefinitionNode):
                fragments[one.name.value] = one
        found = _Shape(fragments).check(ast, operations, self._max_depth)
        return Document(ast, tuple(found), operations, fragments)

    def check_cost(
        self, document: Document, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> None:
        """Raise GraphQLError when the answer could have more fields than allowed."""
        defaults: dict[str, Any] = {}
        for one in operation.variable_definitions or ():
            size = _size_of(one.default_value, {}) if one.default_value is not None else None
            if size is not None:
                defaults[one.variable.name.value] = size
        cost = _Costs(self._schema, document.fragments, {**defaults, **variables}).of(operation)
        if cost > self._max_cost:
            raise Refused(
                f"The operation may cost {cost:,}; {self._max_cost:,} is the limit.",
                "cost_exceeded",
                "Ask for fewer fields, smaller pages, or less nesting.",
            )


class _Counts(Visitor):
    """Aliases and directives of a whole document."""

    def __init__(self) -> None:
        super().__init__()
        self.aliases = 0
        self.directives = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.aliases += node.alias is not None

    def enter_directive(self, _node: DirectiveNode, *_: Any) -> None:
        self.directives += 1


class _Shape:
    """Depth and width. Fragments are measured once each: nested ones would grow without bounds."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._depths: dict[str, int] = {}
        self._widths: dict[str, int] = {}

    def check(
        self, ast: DocumentNode, operations: Mapping[str, OperationDefinitionNode], max_depth: int
    ) -> list[GraphQLError]:
        found: list[GraphQLError] = []
        counts = _Counts()
        visit(ast, counts)
        for what, count, most in (
            ("aliases", counts.aliases, MAX_ALIASES),
            ("directives", counts.directives, MAX_DIRECTIVES),
            ("root fields", max((self._width(one.selection_set) for one in operations.values()), default=0),
             MAX_ROOT_FIELDS),
            ("levels", max((self._depth(one.selection_set) for one in operations.values()), default=0),
             max_depth),
        ):  # fmt: skip
            if count > most:
                message = f"The document has {count} {what}; {most} are allowed."
                code = f"too_many_{what.replace(' ', '_')}"
                found.append(Refused(message, code, "Send a smaller document."))
        return found

    def _depth(self, selections: SelectionSetNode | None) -> int:
        deepest = 0
        for one in selections.selections if selections is not None else ():
            if isinstance(one, FieldNode):
                # Introspection has a rule of its own, and honest tools nest `ofType` deeply.
                inside = 0 if one.name.value.startswith("__") else self._depth(one.selection_set)
                deepest = max(deepest, 1 + inside)
            elif isinstance(one, InlineFragmentNode):
                deepest = max(deepest, self._depth(one.selection_set))
            elif isinstance(one, FragmentSpreadNode):
                name = one.name.value
                if name not in self._depths:
                    self._depths[name] = self._depth(self._fragments[name].selection_set)
                deepest = max(deepest, self._depths[name])
        return deepest

    def _width(self, selections: SelectionSetNode) -> int:
        width = 0
        for one in selections.selections:
            if isinstance(one, FieldNode):
                width += 1
            elif isinstance(one, InlineFragmentNode):
                width += self._width(one.selection_set)
            elif isinstance(one, FragmentSpreadNode):
                name = one.name.value
                if name not in self._widths:
                    self._widths[name] = self._width(self._fragments[name].selection_set)
                width += self._widths[name]
        return width


class _Costs:
    """Most fields that an answer may have: each field counts, times the lengths of the lists around it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._known: dict[tuple[str, str, bool], int] = {}

    def of(self, operation: OperationDefinitionNode) -> int:
        root = self._schema.get_root_type(operation.operation)
        return self._of(operation.selection_set, root, sized=False, root=True)

    def _of(
        self,
        selections: SelectionSetNode | None,
        parent: GraphQLNamedType | None,
        *,
        sized: bool,
        root: bool = False,
    ) -> int:
        total = 0
        for one in selections.selections if selections is not None else ():
            if isinstance(one, FieldNode):
                total += self._of_field(one, parent, sized=sized, root=root)
            elif isinstance(one, InlineFragmentNode):
                condition = one.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                total += self._of(one.selection_set, inner, sized=sized, root=root)
            elif isinstance(one, FragmentSpreadNode):
                total += self._of_fragment(one.name.value, sized=sized, root=root)
        return total

    def _of_fragment(self, name: str, *, sized: bool, root: bool) -> int:
        fragment = self._fragments[name]
        key = (name, "root" if root else "", sized)
        if key not in self._known:
            inner = self._schema.get_type(fragment.type_condition.name.value)
            self._known[key] = self._of(fragment.selection_set, inner, sized=sized, root=root)
        return self._known[key]

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType | None, *, sized: bool, root: bool) -> int:
        name = node.name.value
        if name.startswith("__") or not isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)):
            return 1
        definition = parent.fields[name]
        size = self._size(node, definition)
        length = size if size is not None else 1
        if size is None and not sized and _is_list(definition):
            length = ASSUMED_LENGTH
        own = 1 + (REQUEST_COST if root or f"{parent.name}.{name}" in ASKING else 0)
        # The rows of a page are counted at the page's size argument, not once more at its list.
        below = self._of(node.selection_set, get_named_type(definition.type), sized=size is not None)
        return own + length * below

    def _size(self, node: FieldNode, definition: GraphQLField) -> int | None:
        """What the field's arguments say about the length; None when none of them does."""
        given = {one.name.value: one.value for one in node.arguments or ()}
        sizes = []
        for name, argument in definition.args.items():
            value = given.get(name)
            if name in SIZE_ARGUMENTS:
                size = _size_of(value, self._variables) if value is not None else _default_of(argument)
                sizes.append(ASSUMED_LENGTH if size is None else size)
            elif value is not None and (size := _size_inside(value, self._variables)) is not None:
                sizes.append(size)
        return max(1, *sizes) if sizes else None


def _is_list(definition: GraphQLField) -> bool:
    kind = definition.type
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def _default_of(argument: GraphQLArgument) -> int | None:
    """The length when the argument is left out."""
    default = argument.default
    if default is None:
        return None
    return _number(default.value) if default.literal is None else _size_of(default.literal, {})


def _size_of(node: ValueNode, variables: Mapping[str, Any]) -> int | None:
    """A number, also where Meshery writes it as a text."""
    if isinstance(node, VariableNode):
        return _number(variables.get(node.name.value))
    return _number(node.value) if isinstance(node, (IntValueNode, StringValueNode)) else None


def _size_inside(node: ValueNode, variables: Mapping[str, Any]) -> int | None:
    """The size argument inside of an input object, as in `selector: {pageSize: "10"}`."""
    if isinstance(node, VariableNode):
        value = variables.get(node.name.value)
        if not isinstance(value, Mapping):
            return None
        return next((_number(value[name]) for name in SIZE_ARGUMENTS if name in value), None)
    if isinstance(node, ObjectValueNode):
        for one in node.fields:
            if one.name.value in SIZE_ARGUMENTS:
                return _size_of(one.value, variables)
    if isinstance(node, ListValueNode):
        return None
    return None


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().lower() == "all":
        return MAX_PAGE_SIZE
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) else None
