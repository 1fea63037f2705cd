"""The published description of the API: which request is which call, and what a request or a reply violates.

Rule: everything is judged by ``description.json`` alone (README.md beside it says where that is from). A query
parameter that it does not name, or a path that it has not, is a violation too. Refused: rules that it does not have.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator

Schema = Mapping[str, Any]

_DOCUMENT: Schema = json.loads(Path(__file__).with_name("description.json").read_text(encoding="utf-8"))
_PARTS = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """A request as the description sees it: method and path template, and the values of the template's parts."""

    method: str
    template: str
    parts: Mapping[str, str]

    @property
    def operation(self) -> Schema:
        """What the description says of it."""
        found: Schema = _DOCUMENT["paths"][self.template][self.method.lower()]
        return found


def call(method: str, path: str) -> Call | None:
    """The call that a request is, its path without the base URL's; None if there is none like it."""
    # A template without parts is meant before one with them: "batch" is no record's identifier.
    for template in sorted(_DOCUMENT["paths"], key=lambda one: one.count("{")):
        found = re.fullmatch(_PARTS.sub(r"(?P<\1>[^/]+)", template), path)
        if found and method.lower() in _DOCUMENT["paths"][template]:
            return Call(method, template, found.groupdict())
    return None


def request_violations(asked: Call, query: Mapping[str, str], body: object) -> list[str]:
    """What a request does against the description; ``body`` None: it has none."""
    found = []
    known = {(one["in"], one["name"]): one["schema"] for one in asked.operation.get("parameters", ())}
    for place, values in (("path", asked.parts), ("query", query)):
        for name, value in values.items():
            schema = known.get((place, name))
            if schema is None:
                found.append(f"{place} parameter {name} is unknown")
            else:
                found += _complaints(_as_typed(value, schema), schema, f"{place} parameter {name}", writes=True)
    described = asked.operation.get("requestBody", {})
    if body is None:
        return found + (["there is no body"] if described.get("required") else [])
    if not described:
        return [*found, "there is a body"]
    return found + _complaints(body, described["content"]["application/json"].get("schema", {}), "body", writes=True)


def reply_violations(asked: Call, status: int, document: object) -> list[str]:
    """What a reply with JSON does against the description."""
    replies = asked.operation["responses"]
    described = replies.get(str(status)) or replies.get(f"{status // 100}XX")
    if described is None:
        return [f"status {status} is not described"]
    return _complaints(document, described["content"]["application/json"]["schema"], "reply", writes=False)


def _as_typed(value: str, schema: Schema) -> object:
    """A parameter's value in its own type, where it can be read so."""
    kind = _whole(schema).get("type")
    if kind in ("number", "integer") and re.fullmatch(r"-?\d+", value):
        return int(value)
    return {"true": True, "false": False}.get(value, value) if kind == "boolean" else value


def _complaints(value: object, schema: Schema, what: str, *, writes: bool) -> list[str]:
    errors = _validator(json.dumps(schema), writes).iter_errors(value)
    return [f"{what} {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]


@functools.cache
def _validator(schema: str, writes: bool) -> Any:
    return (OAS30WriteValidator if writes else OAS30ReadValidator)(_whole(json.loads(schema)))


def _whole(part: Any) -> Any:
    """A part of the document with every reference replaced by what it is to: validating is much faster so."""
    if isinstance(part, list):
        return [_whole(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    if isinstance(part.get("$ref"), str):
        return _named(part["$ref"].rsplit("/", 1)[1])
    return {key: _whole(one) for key, one in part.items()}


@functools.cache
def _named(name: str) -> Any:
    return _whole(_DOCUMENT["components"]["schemas"][name])
