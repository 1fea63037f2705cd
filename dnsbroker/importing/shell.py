"""A shell's assignments read without a shell: ``NAME=value`` at the beginning of a line, in any quotes.

Its rule: nothing is run. What would need a shell to be known (a substitution, a condition, a variable set elsewhere) is
not taken, and the caller is told of it by its line's number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_VARIABLE = r"\$(?:\w+|\{\w+\})"
_SINGLE = r"'[^']*'"
_DOUBLE = rf'"(?:[^"\\$`]|\\.|{_VARIABLE})*"'
_BARE = rf"(?:[^\s'\"\\$`;&|<>()~]|\\.|{_VARIABLE})"
_ASSIGNMENT = re.compile(rf"(?:export\s+)?([A-Za-z_]\w*)=((?:{_SINGLE}|{_DOUBLE}|{_BARE})*)\s*(?:(?<=\s)#.*)?")
_PART = re.compile(rf"{_SINGLE}|{_DOUBLE}|{_BARE}")


@dataclass(frozen=True)
class Assigned:
    """The variables that a file sets, and the numbers of the lines that were passed over."""

    values: Mapping[str, str]
    passed_over: tuple[int, ...]


def read_assignments(text: str, known: Mapping[str, str]) -> Assigned:
    """What ``text`` assigns, beside what is ``known`` before it."""
    values, passed_over = dict(known), []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _ASSIGNMENT.fullmatch(line)
        try:
            if found is None:
                raise KeyError
            values[found[1]] = "".join(_expanded(part, values) for part in _PART.findall(found[2]))
        except KeyError:
            passed_over.append(number)
    return Assigned(values, tuple(passed_over))


def _expanded(part: str, values: Mapping[str, str]) -> str:
    """What a quoted or bare part stands for. Raises KeyError for a variable that is not known."""
    if part.startswith("'"):
        return part[1:-1]
    escaped = r"\\([\\\"$`])" if part.startswith('"') else r"\\(.)"
    body = part[1:-1] if part.startswith('"') else part
    return re.sub(rf"{escaped}|\$\{{?(\w+)\}}?", lambda found: found[1] or values[found[2]], body)
