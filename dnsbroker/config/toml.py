"""Writing TOML: keys and values as the configuration's readers take them back.

Only what a configuration holds: strings, booleans, numbers, and arrays and tables of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written_key(name: str) -> str:
    """``name`` as a TOML key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else written(name)


def written(value: object) -> str:
    """``value`` as TOML. TypeError for what a configuration does not hold."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        # JSON escapes what TOML must have escaped, but for DEL; both know \uXXXX.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = [f"{written_key(name)} = {written(item)}" for name, item in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    raise TypeError(f"{type(value).__name__} is no TOML value")
