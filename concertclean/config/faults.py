"""What is wrong with values from a file or from the command line, in our words instead of the library's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_TEXTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than_equal": lambda limits: f"must be {limits['ge']:g} or more",
    "greater_than": lambda limits: f"must be more than {limits['gt']:g}",
    "less_than_equal": lambda limits: f"must be {limits['le']:g} or less",
    "less_than": lambda limits: f"must be less than {limits['lt']:g}",
    "literal_error": lambda limits: f"choose from {str(limits['expected']).replace(' or ', ', ').replace(chr(39), '')}",
    "string_pattern_mismatch": lambda limits: f"must fit the pattern {limits['pattern']}",
    "int_parsing": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_parsing": lambda _: "must be a number",
    "float_type": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be text",
    "path_type": lambda _: "must be a path",
    "list_type": lambda _: "must be a list",
    "tuple_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a table",
    "model_type": lambda _: "must be a table",
    "too_short": lambda limits: f"needs {limits['min_length']} entries or more",
    "too_long": lambda limits: f"takes {limits['max_length']} entries or fewer",
}


def fault_text(fault: Mapping[str, Any], kind: type[BaseModel], place: Sequence[str | int] | None = None) -> str:
    """One fault as `KEY: reason, got VALUE`.

    Args:
        fault: one of `ValidationError.errors()`.
        kind: class of the record that was validated.
        place: keys to name instead of the fault's own.

    Returns:
        One line, without a full stop.
    """
    keys, record = _followed(fault["loc"], kind)
    name = ".".join(keys if place is None else map(str, place))
    if fault["type"] == "extra_forbidden":
        return f"{name}: unknown, the settings are {', '.join(record.model_fields)}"
    if fault["type"] == "missing":
        return f"{name}: missing"
    reason = _reason(fault, record.model_fields.get(keys[-1]) if keys else None)
    if isinstance(fault["input"], dict) or not name:  # settings that contradict each other; the reason names them
        return f"{name}: {reason}" if name else reason
    return f"{name}: {reason}, got {fault['input']!r}"


def _reason(fault: Mapping[str, Any], field: FieldInfo | None) -> str:
    """Why a value is refused; both ends of a range where there are two."""
    if fault["type"] in ("greater_than_equal", "less_than_equal") and field is not None:
        bounds = {name: getattr(one, name) for one in field.metadata for name in ("ge", "le") if hasattr(one, name)}
        if len(bounds) == 2:
            return f"must lie between {bounds['ge']:g} and {bounds['le']:g}"
    if fault["type"] in _TEXTS:
        return _TEXTS[fault["type"]](fault.get("ctx") or {})
    return str(fault["msg"]).removeprefix("Value error, ")


def _followed(loc: Sequence[str | int], kind: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """Keys as the user wrote them, and the record of the last; then may come members of a union, which nobody wrote."""
    keys: list[str] = []
    owner, inner = kind, kind if loc else None
    while inner is not None and len(keys) < len(loc):
        owner = inner
        keys.append(str(loc[len(keys)]))
        inner = _inner(owner, keys[-1])
    return keys, owner


def _inner(record: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The record that a key of a record holds, if it holds one."""
    field = record.model_fields.get(key)
    kind: Any = None if field is None else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
