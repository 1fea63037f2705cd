"""The CAA records that govern a name, found as a CA finds them (RFC 8659 section 3), and their values read (section 4).

Rule: one server of each zone is asked, never a resolver, and for each owner once, however many names stand below it.
What a record permits is judged elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import dns.name
import dns.rdataclass
import dns.rdatatype

from dnsbroker.clock import Clock
from dnsbroker.errors import LookupFailed, NameInvalid
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.cuts import KEPT
from dnsbroker.lookup.once import Once
from dnsbroker.lookup.place import Finder
from dnsbroker.names import ancestors, owner, shown

_MOST_ALIASES = 16
#: RFC 8659 section 4.1 says 128; so many zones have a 1 and mean it that a CA (Boulder for one) may take either for it.
_CRITICAL = 128 | 1
_LABEL = r"[A-Za-z0-9](?:-*[A-Za-z0-9])*"
_ISSUER = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PARAMETER = re.compile(rf"({_LABEL})[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)")
_BLANK = " \t"


@dataclass(frozen=True)
class Property:
    """One CAA record: ``tag`` in lower case, ``value`` with the decimal code of octets that cannot be printed."""

    flags: int
    tag: str
    value: str

    @property
    def is_critical(self) -> bool:
        """Whether a CA that does not know the tag must not issue."""
        return bool(self.flags & _CRITICAL)

    def __str__(self) -> str:
        return f'{self.flags} {self.tag} "{self.value}"'


@dataclass(frozen=True)
class IssueValue:
    """Whom a value of ``issue`` or ``issuewild`` names: ``issuer`` (empty: nobody), under which ``parameters``.

    Tags and issuer are in lower case; a parameter may stand there twice.
    """

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()

    def all(self, tag: str) -> tuple[str, ...]:
        """The values of every parameter ``tag``."""
        return tuple(value for own, value in self.parameters if own == tag)


@dataclass(frozen=True)
class CAASet:
    """The RRset that governs a name: at ``owner``, as ``server`` (an address) has it.

    ``alias`` is the name whose CNAME or DNAME led there; empty where none did.
    """

    owner: str
    properties: tuple[Property, ...]
    server: str
    alias: str = ""


class CAAUnanswered(Exception):
    """Whether ``at`` has CAA records could not be learnt; ``reason`` says why.

    ``rcode`` is what every server answered with; empty where they did not all, or not the same.
    """

    def __init__(self, at: str, reason: str, rcode: str = "") -> None:
        super().__init__(f"{at}: {reason}")
        self.at = at
        self.reason = reason
        self.rcode = rcode


class CAASets:
    """Finds them; what was found is believed for a minute, by ``clock``, so that one serves a whole run."""

    def __init__(self, finder: Finder, clock: Clock) -> None:
        self._finder = finder
        self._once = Once(clock, KEPT)

    async def governing(self, name: str) -> CAASet | None:
        """The set for ``name``, with or without ``*.``: its own or the nearest above it; None where there is none.

        Aliases are followed as a resolver does, without climbing from where they lead (RFC 8659 section 3). It is what
        the CA finds while a challenge stands below the name: what only a wildcard makes of it is gone by then.
        Raises CAAUnanswered.
        """
        for candidate in ancestors(owner(name.removeprefix("*."))):
            found = await self._at(candidate)
            if found:
                return found
        return None

    async def _at(self, name: str) -> CAASet | None:
        return await self._once.get(name, lambda: self._looked_up(name))

    async def _looked_up(self, name: str) -> CAASet | None:
        current, seen = name, {name}
        while True:
            answer = await self._ask(name, current)
            found = _properties(answer, current)
            if current == name and (found or answer.alias(name)) and await self._is_passing(name, answer):
                return None
            if found:
                return CAASet(current, found, str(answer.address), name if current != name else "")
            target = answer.alias(current)
            if target is None:
                return None
            current = _followed(name, current, target)
            if current in seen or len(seen) > _MOST_ALIASES:
                raise CAAUnanswered(name, f"its aliases turn in a circle at {shown(current)}, or are too many")
            seen.add(current)

    async def _is_passing(self, name: str, answer: Answer) -> bool:
        """Whether ``name`` has what it has by a wildcard, as long as there is no challenge below it.

        Once there is, ``name`` exists, if empty, and the CA no longer meets the wildcard (RFC 4592 section 2.2.2).
        """
        try:
            return not answer.dname_above(name) and await self._finder.is_made(name)
        except LookupFailed:
            return False

    async def _ask(self, name: str, current: str) -> Answer:
        try:
            return await self._finder.ask(current, "CAA")
        except LookupFailed as error:
            raise CAAUnanswered(name, error.message, error.rcode) from error


def _followed(name: str, current: str, target: str) -> str:
    try:
        return owner(target)
    except NameInvalid as error:
        raise CAAUnanswered(name, f"the alias at {shown(current)} leads to no usable name") from error


def _properties(answer: Answer, name: str) -> tuple[Property, ...]:
    found = answer.message.get_rrset(
        answer.message.answer, dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.CAA
    )
    return tuple(sorted((_property(rdata) for rdata in found or ()), key=str))


def _property(rdata: object) -> Property:
    flags, tag, value = rdata.flags, rdata.tag, rdata.value  # type: ignore[attr-defined]
    return Property(flags, tag.decode("ascii", "replace").lower(), "".join(map(_shown, value)))


def _shown(octet: int) -> str:
    """What no terminal minds, and no grammar takes for something else (RFC 1035 section 5.1)."""
    return chr(octet) if 0x20 <= octet < 0x7F or octet == ord("\t") else f"\\{octet:03d}"


def read_issue(value: str) -> IssueValue | None:
    """What a value of ``issue`` or ``issuewild`` says; None where it says nothing (RFC 8659 section 4.2).

    One that says nothing permits nobody, as an empty issuer does.
    """
    issuer, semicolon, rest = value.partition(";")
    issuer, rest = issuer.strip(_BLANK), rest.strip(_BLANK)
    if issuer and not _ISSUER.fullmatch(issuer):
        return None
    if not semicolon or not rest:
        return IssueValue(issuer.lower())
    read = [_PARAMETER.fullmatch(part.strip(_BLANK)) for part in rest.split(";")]
    parameters = tuple((found[1].lower(), found[2]) for found in read if found)
    return IssueValue(issuer.lower(), parameters) if len(parameters) == len(read) else None
