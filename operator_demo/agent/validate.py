"""Checks a tool's input against its JSON schema: the flat subset that our tools use. Messages are for the model."""

import re
from typing import Any

_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")  # what no argument of a process and no UTF-8 can hold

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "array": list, "object": dict, "boolean": bool,
}


def problems(value: Any, schema: dict[str, Any], name: str = "the input") -> list[str]:
    """What is wrong with `value`; empty when nothing is."""
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{name} must be of type {kind}"]
    given: Any = value
    match kind:
        case "object":
            return _object_problems(given, schema)
        case "array":
            return [p for n, item in enumerate(given) for p in problems(item, schema["items"], f"{name}[{n}]")]
        case "string":
            return _string_problems(given, schema, name)
        case "integer" | "number":
            low, high = schema.get("minimum", given), schema.get("maximum", given)
            return [] if low <= given <= high else [f"{name} must be between {low} and {high}"]
    return []


def _object_problems(value: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    properties: dict[str, Any] = schema["properties"]
    wrong = [f"{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name not in properties:
            wrong.append(f"there is no argument {name}; those that exist: {', '.join(properties) or 'none'}")
        else:
            wrong += problems(item, properties[name], name)
    return wrong


def _string_problems(value: str, schema: dict[str, Any], name: str) -> list[str]:
    if "enum" in schema and value not in schema["enum"]:
        return [f"{name} must be one of: {', '.join(schema['enum'])}"]
    if _IMPOSSIBLE.search(value):
        return [f"{name} holds a NUL or half of a surrogate pair, which cannot be passed on as it is"]
    if len(value) < schema.get("minLength", 0) or (schema.get("minLength") and not value.strip()):
        return [f"{name} must not be empty"]
    if len(value) > schema.get("maxLength", len(value)):
        return [f"{name} is longer than {schema['maxLength']} characters"]
    return []
