"""As much of JSON Schema 2020-12 as the door's own description uses: what is wrong with a value, and values that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
#: What is looked at here; a description with another word is not understood, and says so.
KNOWN = frozenset(
    [
        "$ref",
        "anyOf",
        "type",
        "enum",
        "const",
        "items",
        "properties",
        "required",
        "title",
        "description",
        "default",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "format",
        "contentEncoding",
        "examples",
        "additionalProperties",
    ]
)


def faults(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Everything that is wrong; a member that is not described is."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        yield from faults(value, named(schema, whole), whole, at)
    elif "anyOf" in schema:
        if all(list(faults(value, one, whole)) for one in schema["anyOf"]):
            yield f"{at} is none of {schema['anyOf']}"
    elif "enum" in schema or "const" in schema:
        if value not in schema.get("enum", [schema.get("const")]):
            yield f"{at} is {value!r}"
    elif not isinstance(value, KINDS[schema["type"]]) or (schema["type"] == "integer" and isinstance(value, bool)):
        yield f"{at} is no {schema['type']}: {value!r}"
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from faults(one, schema["items"], whole, f"{at}[{number}]")
    elif isinstance(value, dict):
        yield from (f"{at} lacks {name}" for name in schema.get("required", ()) if name not in value)
        for name, one in value.items():
            if name not in schema["properties"]:
                yield f"{at} has {name}"
            else:
                yield from faults(one, schema["properties"][name], whole, f"{at}.{name}")


def named(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference points to."""
    found: Mapping[str, Any] = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


#: What honest clients do not send.
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.integers(), max_size=2), st.just({"a": 1})
)


def values(
    schema: Mapping[str, Any], whole: Mapping[str, Any], numbers: st.SearchStrategy[int]
) -> st.SearchStrategy[Any]:
    """Values that fit, of which `numbers` are the HER-ids, and now and then one that does not."""
    return st.one_of(
        _fitting(schema, whole, numbers), _fitting(schema, whole, numbers), _fitting(schema, whole, numbers), JUNK
    )


def _fitting(
    schema: Mapping[str, Any], whole: Mapping[str, Any], numbers: st.SearchStrategy[int]
) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _fitting(named(schema, whole), whole, numbers)
    if "anyOf" in schema:
        return st.one_of(*(_fitting(one, whole, numbers) for one in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema["type"]
    if kind == "array":
        return st.lists(_fitting(schema["items"], whole, numbers), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "object":
        needed = set(schema.get("required", ()))
        parts = {name: values(one, whole, numbers) for name, one in schema["properties"].items()}
        optional = {name: part for name, part in parts.items() if name not in needed}
        return st.fixed_dictionaries({name: parts[name] for name in needed}, optional=optional)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "integer": numbers,
        "boolean": st.booleans(),
        "null": st.none(),
        "string": st.text(max_size=20),
    }
    return simple[kind]
