"""The files in which certbot and its plugins keep settings: ``key = value`` in sections, values in quotes where needed.

Lists stay as they are written, since nothing that is taken over is one.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping

#: The section of what stands before the first header; no file has one of this name.
TOP = ""
_QUOTED = re.compile(r"""('''|\"""|'|")(?P<text>.*?)\1\s*(?:#.*)?""", re.DOTALL)
_PLAIN = re.compile(r"(?P<text>.*?)(?:\s#.*)?", re.DOTALL)


class _Parser(configparser.RawConfigParser):
    """Python's, but that keys are what they are."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def read_ini(text: str) -> Mapping[str, Mapping[str, str]]:
    """The values of each section. Raises ValueError for what has no such form."""
    parser = _Parser(
        strict=False, delimiters=("=",), comment_prefixes=("#",), empty_lines_in_values=False, default_section="\0"
    )
    try:
        parser.read_string(f"[\1]\n{text}")
    except configparser.Error:
        raise ValueError("it is not made of lines like key = value") from None  # it would show the line
    names = {"\1": TOP}
    return {names.get(name, name): dict(map(_unquoted, parser[name].items())) for name in parser.sections()}


def _unquoted(item: tuple[str, str]) -> tuple[str, str]:
    key, raw = item
    found = _QUOTED.fullmatch(raw) or _PLAIN.fullmatch(raw)
    return key, found["text"] if found else raw
