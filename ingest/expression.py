"""JMESPath expressions, compiled once into closures: the plain ones run some ten times as fast as the interpreter."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import jmespath
import jmespath.exceptions
import jmespath.functions
import jmespath.parser
import msgspec

Finder = Callable[[Any], Any]
"""Finds a value in a document; None where there is none. Never raises."""


class ExpressionError(ValueError):
    """The text is no JMESPath expression."""


class _Functions(jmespath.functions.Functions):
    """JMESPath's own functions, and `from_json` for JSON that some systems send inside a string."""

    @jmespath.functions.signature({"types": []})
    def _func_from_json(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None


_FUNCTIONS = _Functions()
_OPTIONS = jmespath.Options(custom_functions=_FUNCTIONS)


def compile_expression(text: str) -> Finder:
    """The expression as a function. A part that fails (a wrong type, say) finds nothing, and the rest goes on.

    Raises `ExpressionError`.
    """
    try:
        return _compile(cast(dict[str, Any], jmespath.compile(text).parsed))
    except jmespath.exceptions.JMESPathError as error:
        raise ExpressionError(str(error)) from error


def compile_alternatives(texts: Sequence[str]) -> Finder:
    """Tries the expressions in their order; the first value that says something wins (see `says_something`)."""
    finders = [compile_expression(text) for text in texts]
    if len(finders) == 1:
        first = finders[0]
        return lambda document: value if says_something(value := first(document)) else None

    def find(document: Any) -> Any:
        for finder in finders:
            value = finder(document)
            if says_something(value):
                return value
        return None

    return find


def says_something(value: Any) -> bool:
    """Whether a value is one: not null or false, not blank, and no placeholder that a template left unfilled."""
    if type(value) is str:
        return bool(value) and not value.isspace() and not value.startswith("{{")
    if type(value) is list:
        return any(map(says_something, value))
    return value is not None and value is not False and value != {}


def is_true(value: Any) -> bool:
    """JMESPath's own idea of truth: everything but false, null and what is empty (0 is true)."""
    return value is not None and value is not False and value != "" and value != [] and value != {}


def _compile(node: dict[str, Any]) -> Finder:
    compiler = _COMPILERS.get(node["type"])
    return _interpret(node) if compiler is None else compiler(node)


def _interpret(node: dict[str, Any]) -> Finder:
    search = jmespath.parser.ParsedResult("", cast(Any, node)).search

    def find(document: Any) -> Any:
        try:
            return search(document, options=_OPTIONS)
        except jmespath.exceptions.JMESPathError:
            return None

    return find


def _field(node: dict[str, Any]) -> Finder:
    return _path([node["value"]])


def _path(keys: Sequence[str]) -> Finder:
    def find(value: Any) -> Any:
        for key in keys:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value

    return find


def _subexpression(node: dict[str, Any]) -> Finder:
    children = node["children"]
    if all(child["type"] == "field" for child in children):
        return _path([child["value"] for child in children])
    return _chain([_compile(child) for child in children])


def _chain(finders: Sequence[Finder]) -> Finder:
    def find(value: Any) -> Any:
        for finder in finders:
            if value is None:
                return None
            value = finder(value)
        return value

    return find


def _index(node: dict[str, Any]) -> Finder:
    place = node["value"]

    def find(value: Any) -> Any:
        return value[place] if type(value) is list and -len(value) <= place < len(value) else None

    return find


def _select(node: dict[str, Any]) -> Finder:
    finders = [_compile(child) for child in node["children"]]
    return lambda value: None if value is None else [finder(value) for finder in finders]


def _flatten(node: dict[str, Any]) -> Finder:
    inner = _compile(node["children"][0])

    def find(value: Any) -> Any:
        values = inner(value)
        if type(values) is not list:
            return None
        return [part for each in values for part in (each if type(each) is list else [each])]

    return find


def _projection(node: dict[str, Any]) -> Finder:
    listed, each, *condition = (_compile(child) for child in node["children"])
    holds: Finder = condition[0] if condition else lambda _: True

    def find(value: Any) -> Any:
        values = listed(value)
        if type(values) is not list:
            return None
        return [part for member in values if is_true(holds(member)) and (part := each(member)) is not None]

    return find


def _function(node: dict[str, Any]) -> Finder:
    if any(child["type"] == "expref" for child in node["children"]):
        return _interpret(node)
    name, arguments = node["value"], [_compile(child) for child in node["children"]]

    def find(value: Any) -> Any:
        try:
            return _FUNCTIONS.call_function(name, [argument(value) for argument in arguments])
        except jmespath.exceptions.JMESPathError:
            return None

    return find


def _literal(node: dict[str, Any]) -> Finder:
    value = node["value"]
    return lambda _: value


def _or(node: dict[str, Any]) -> Finder:
    left, right = (_compile(child) for child in node["children"])
    return lambda value: found if is_true(found := left(value)) else right(value)


def _and(node: dict[str, Any]) -> Finder:
    left, right = (_compile(child) for child in node["children"])
    return lambda value: right(value) if is_true(found := left(value)) else found


def _not(node: dict[str, Any]) -> Finder:
    (inner,) = (_compile(child) for child in node["children"])
    return lambda value: not is_true(inner(value))


def _comparator(node: dict[str, Any]) -> Finder:
    if node["value"] not in ("eq", "ne"):
        return _interpret(node)
    left, right = (_compile(child) for child in node["children"])
    wanted = node["value"] == "eq"

    def find(value: Any) -> bool:
        one, other = left(value), right(value)
        # To Python 1 and true are equal, to JSON they are not.
        return (one == other and isinstance(one, bool) == isinstance(other, bool)) is wanted

    return find


_COMPILERS: dict[str, Callable[[dict[str, Any]], Finder]] = {
    "field": _field,
    "subexpression": _subexpression,
    "index_expression": lambda node: _chain([_compile(child) for child in node["children"]]),
    "index": _index,
    "pipe": lambda node: _chain([_compile(child) for child in node["children"]]),
    "current": lambda _: lambda value: value,
    "identity": lambda _: lambda value: value,
    "literal": _literal,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparator,
    "multi_select_list": _select,
    "flatten": _flatten,
    "projection": _projection,
    "filter_projection": _projection,
    "function_expression": _function,
}
