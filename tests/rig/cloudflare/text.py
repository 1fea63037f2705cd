"""The content of TXT records: as it is sent, and as name servers tell it.

Rule: "TXT content" of README.md beside this. Refused: what is not printable ASCII, which has to be escaped.
"""

from __future__ import annotations

import re

from cloudflare.replies import refuse

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
STRINGS = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*)+')
ESCAPE = re.compile(r"\\(\d{3}|.)")
LONGEST_STRING = 255
LONGEST_CONTENT = 2048
LONGEST_NAME = 8192


def octets(content: str) -> bytes:
    """The value as name servers tell it, its strings joined."""
    if not is_quoted(content):
        return content.encode()
    return b"".join(_unescaped(string) for string in STRING.findall(content))


def is_quoted(content: str) -> bool:
    """Whether it consists of quoted character-strings."""
    return STRINGS.fullmatch(content) is not None


def stored(content: str) -> str:
    """The content as the service keeps it. Raises Refusal."""
    if not all(" " <= letter <= "~" for letter in content):
        raise refuse(400, 9051, "TXT record content must consist of printable characters")
    if len(content) > LONGEST_CONTENT:
        raise refuse(400, 9015, f"TXT record content must not be longer than {LONGEST_CONTENT} characters")
    if content.startswith('"') and not is_quoted(content):
        raise refuse(400, 1004, "DNS Validation Error")
    if not is_quoted(content) or all(len(_unescaped(one)) <= LONGEST_STRING for one in STRING.findall(content)):
        return content
    return quoted(octets(content))


def quoted(value: bytes) -> str:
    """The value in quoted character-strings."""
    parts = [value[cut : cut + LONGEST_STRING] for cut in range(0, max(1, len(value)), LONGEST_STRING)]
    return " ".join(f'"{"".join(map(_escaped, part))}"' for part in parts)


def _unescaped(string: str) -> bytes:
    letters = ESCAPE.sub(lambda found: chr(int(found[1])) if len(found[1]) == 3 else found[1], string)
    return letters.encode("latin-1")


def _escaped(octet: int) -> str:
    if chr(octet) in '"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03}"
