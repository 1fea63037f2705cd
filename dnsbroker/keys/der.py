"""DER taken apart where it has to stay as it is (X.690 section 8.1): lengths are read, contents are not.

Rule: only what a library has parsed already comes in here. No other encoding than DER, no tag above 30.
"""

from __future__ import annotations


def elements(sequence: bytes) -> list[bytes]:
    """The elements of the one that ``sequence`` is, each whole, with tag and length."""
    at, end = _content(sequence, 0)
    found = []
    while at < end:
        after = _content(sequence, at)[1]
        found.append(sequence[at:after])
        at = after
    return found


def sequence(*parts: bytes) -> bytes:
    """The SEQUENCE of ``parts``, which are whole elements."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([0x30, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([0x30, 0x80 + len(octets)]) + octets + content


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at octet ``at`` begins, and where it ends."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(der[at + 2 : start])
    return start, start + length
