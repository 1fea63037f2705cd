"""Domain names as text: one canonical form, compared by labels.

Inside, every name is in lower-case A-labels. An *owner name* (of a record or a zone) is absolute and ends with a
dot; an *identifier* (what a certificate names) has no dot at its end and may begin with ``*.``. Names are never
compared with ``endswith``: ``ample.com.`` is no parent of ``example.com.``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dnsbroker.errors import NameInvalid

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_OCTETS = 253


def owner(name: str) -> str:
    """The absolute owner name for ``name``: lower-case A-labels, ending with a dot.

    Takes names with or without the final dot, in any case, in Unicode (UTS 46); the root is ``.``.
    Raises NameInvalid where a label is empty, too long or holds what no host or service name holds.
    """
    if name == ".":
        return name
    text = name[:-1] if name.endswith((".", "\u3002")) else name
    labels = [_label(label, name) for label in text.replace("\u3002", ".").split(".")]
    if len(".".join(labels)) > _MAX_OCTETS:
        raise NameInvalid(name, f"it is longer than {_MAX_OCTETS} octets")
    return ".".join(labels) + "."


def _label(label: str, name: str) -> str:
    lowered = label.lower()
    if not lowered.isascii():
        import idna

        try:
            lowered = idna.encode(lowered, uts46=True, std3_rules=True).decode()
        except idna.IDNAError as error:
            raise NameInvalid(name, f"label {label!r}: {error}") from error
    if lowered == "*":
        return lowered
    if not lowered:
        raise NameInvalid(name, "it has an empty label")
    if not _LABEL.fullmatch(lowered):
        reason = f"label {label!r} is longer than 63 octets" if len(lowered) > 63 else f"bad label {label!r}"
        raise NameInvalid(name, reason)
    return lowered


def identifier(name: str) -> str:
    """What a certificate is to name: lower-case A-labels without a final dot, perhaps with a leading ``*.``.

    Raises NameInvalid also for IP addresses, a wildcard elsewhere than at the left, and names of one label.
    """
    text = owner(name)[:-1]
    host = text.removeprefix("*.")
    if not host or "*" in host:
        raise NameInvalid(name, "a wildcard stands only as the whole leftmost label")
    if "." not in host:
        raise NameInvalid(name, "it has only one label")
    if "_" in host:
        raise NameInvalid(name, "a certificate's name has no underscore")
    if host.rsplit(".", 1)[1].isdigit():
        raise NameInvalid(name, "an IP address cannot be validated through DNS")
    return text


def challenge_name(name: str) -> str:
    """The owner name at which the CA looks for ``name``'s TXT record (RFC 8555 section 8.4)."""
    return "_acme-challenge." + identifier(name).removeprefix("*.") + "."


def labels(name: str) -> tuple[str, ...]:
    """The labels of an owner name from the left, without the root."""
    return tuple(name.rstrip(".").split(".")) if name != "." else ()


def is_within(name: str, zone: str) -> bool:
    """Whether owner name ``name`` is ``zone`` or stands below it, on label boundaries."""
    inner, outer = labels(name), labels(zone)
    return len(outer) <= len(inner) and inner[len(inner) - len(outer) :] == outer


def ancestors(name: str) -> tuple[str, ...]:
    """``name`` itself and each name above it, longest first, without the root."""
    parts = labels(name)
    return tuple(".".join(parts[start:]) + "." for start in range(len(parts)))


def between(name: str, zone: str) -> tuple[str, ...]:
    """The names below ``zone`` and above ``name``, which is within it; from the top."""
    above = ancestors(name)[1 : len(labels(name)) - len(labels(zone))]
    return above[::-1]


def longest_match(name: str, zones: Iterable[str]) -> str | None:
    """The longest of ``zones`` that holds ``name``; None where none does."""
    holding = [zone for zone in zones if is_within(name, zone)]
    return max(holding, key=lambda zone: len(labels(zone)), default=None)


def shown(name: str) -> str:
    """``name`` as people write it: U-labels, no final dot. What cannot be decoded stays as it is."""
    text = name if name == "." else name.removesuffix(".")
    if "xn--" not in text:
        return text
    return ".".join(_shown_label(label) for label in text.split("."))


def meant(name: str, known: Iterable[str]) -> str:
    """The one of the ``known`` names that ``name`` means: itself, or else the same name written otherwise.

    In U-labels or A-labels, in upper or lower case, with a final dot or without. ``name`` where none of them is meant.
    """
    candidates = tuple(known)
    if name in candidates:
        return name
    return next((other for other in candidates if _form(other) == _form(name)), name)


def _form(name: str) -> str:
    try:
        return owner(name)
    except NameInvalid:
        return name


def _shown_label(label: str) -> str:
    import idna

    try:
        return idna.decode(label) if label.startswith("xn--") else label
    except idna.IDNAError:
        return label
