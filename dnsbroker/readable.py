"""A stranger's text made fit to be shown: one line, printable, bounded, markup gone.

Pure. What comes from the network never reaches a terminal as it is: control characters could rewrite what stands there.
"""

from __future__ import annotations

import html
import re

_READ = 20_000
_BLOCK = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")


def line(text: str, limit: int = 800) -> str:
    """``text`` as one line of at most ``limit`` printable characters."""
    flat = " ".join(text[:_READ].split())
    shown = "".join(character for character in flat if character.isprintable())
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def words(body: str, limit: int = 200) -> str:
    """The words of a page that may be HTML, as one line of at most ``limit`` characters."""
    bare = _TAG.sub(" ", _BLOCK.sub(" ", body[:_READ]))
    return line(html.unescape(bare), limit)
