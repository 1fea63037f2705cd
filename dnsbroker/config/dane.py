"""``[[dane]]``: which endpoints have TLSA records, for which certificates, and of which kinds.

Text alone is judged here: what is no endpoint, kind, digest or address, and what does not fit another table. Whether
such records would do harm is for who publishes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnsbroker import names
from dnsbroker.config import durations
from dnsbroker.config.kinds import described, kind, nearest, read_strings, read_text
from dnsbroker.config.tables import Document, Table, Texts, key_names
from dnsbroker.config.values import read_endpoints, read_ttl
from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.settings import Duration, Rejected, key

if TYPE_CHECKING:
    from dnsbroker.config.certificate import CertificateConfig
    from dnsbroker.endpoints import Endpoint

Issuer = Literal["top", "issuing", "both"]

#: The checks of ``dnsbroker.tlsa`` that may be allowed, which stands above all configuration.
CHECKS = (
    *("ca-certificate", "full-data", "host-name", "leaf-as-anchor"),
    *("many", "pkix", "sha512-alone", "whole-certificate"),
)
_TA = "2 1 1"
#: SHA-256 of nothing at all: what a broken script makes of a file that is not there.
_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_KIND = re.compile(r"\s*([0-3])\s+([01])\s+([0-2])\s*", re.ASCII)
_DIGEST = re.compile("[0-9a-f]{64}")
_DOORS = 'for example connect = "127.0.0.1:25", "[2001:db8::25]:25" or "mail.example.org:2525"'
_ALIKE = ("ttl", "min_wait", "issuer", "connect")


def _one_or_more(value: object) -> tuple[str, ...]:
    """The strings of an array, or the one that stands for itself; none twice."""
    found = (value,) if isinstance(value, str) else read_strings(value)
    if not found or "" in found:
        raise Rejected("names nothing", hint="name at least one, in quotes")
    return found


def read_services(value: object) -> tuple[str, ...]:
    """One endpoint or several, each in its shortest form, and once."""
    found = dict.fromkeys(text for each in _one_or_more(value) for text in read_endpoints([each]))
    return tuple(found)


def read_kinds(value: object) -> tuple[str, ...]:
    """Kinds of TLSA records (RFC 6698 section 2.1): usage, selector and matching type of each."""
    found = [_kind(text) for text in read_strings(value)]
    if not found:
        raise Rejected("names no kind of record", hint='for example records = ["3 1 1"]')
    return tuple(dict.fromkeys(found))


def _kind(text: str) -> str:
    found = _KIND.fullmatch(text)
    if found is None:
        hint = "write usage (0 to 3), selector (0 or 1) and matching type (0 to 2), such as 3 1 1"
        raise Rejected(f"{text!r} is no kind of TLSA record", hint=hint)
    return " ".join(found.groups())


def read_life(value: object) -> Duration:
    """The TTL of records that stay: whole seconds, one at least."""
    seconds = read_ttl(value)
    if seconds < 1:
        raise Rejected("should be a second or more", hint='for example ttl = "1h"')
    return seconds


def read_digests(value: object) -> tuple[str, ...]:
    """SHA-256 digests of CA keys, in lower-case hexadecimal."""
    return tuple(dict.fromkeys(_digest(text) for text in read_strings(value)))


def _digest(text: str) -> str:
    found = text.replace(" ", "").replace(":", "").lower()
    if not _DIGEST.fullmatch(found):
        told = f"{text!r} is no SHA-256 in hexadecimal: {len(found)} digits" if found else "holds an empty digest"
        raise Rejected(told, hint="64 digits; `dnsbroker tlsa compute` shows that of a CA as 2 1 1")
    if found == _NOTHING:
        raise Rejected(f"{text!r} is the digest of nothing", hint="a script has read an empty file: compute it anew")
    return found


def read_hosts(value: object) -> tuple[str, ...]:
    """Addresses in canonical form."""
    return tuple(dict.fromkeys(_address(text) for text in read_strings(value)))


def _address(text: str) -> str:
    if found := _canonical(text):
        return found
    raise Rejected(f"{text!r} is no address", hint='for example addresses = ["192.0.2.25", "2001:db8::25"]')


def _canonical(text: str) -> str:
    """The address in its one form; empty where it is none."""
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def read_door(value: object) -> str:
    """``HOST:PORT``, the host a name or an address, an IPv6 one in brackets; or nothing."""
    text = read_text(value)
    if not text:
        return ""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise Rejected(f"{text!r} names no port", hint=_DOORS)
    if ":" in host:
        address = _canonical(host[1:-1]) if host[0] + host[-1] == "[]" else ""
        if not address:
            raise Rejected(f"{text!r} is no address with a port", hint=_DOORS)
        return f"[{address}]:{int(port)}"
    try:
        return f"{_canonical(host) or names.owner(host).rstrip('.')}:{int(port)}"
    except NameInvalid as error:
        raise Rejected(f"{text!r}: {error.message}", hint=_DOORS) from error


def read_allowed(value: object) -> tuple[str, ...]:
    """Words of the checks that the records may fail."""
    for word in (words := read_strings(value)):
        if word not in CHECKS:
            raise Rejected(f"{word!r} is no check that could be allowed", hint=f"there are {', '.join(CHECKS)}")
    return words


@dataclass(frozen=True)
class DaneConfig:
    """One ``[[dane]]`` table. Endpoints are as ``dnsbroker.endpoints`` writes them; kinds such as ``3 1 1``.

    ``certificate`` holds certificate names, absolute paths of another client's lineage directory, or of PEM files.
    """

    endpoint: Texts = key(
        doc="The services, one or a list: scheme://host or scheme://host:port.",
        example='["smtp://mail.example.org"]',
        read=read_services,
    )
    certificate: Texts = key(
        doc="Whose key they serve: a certificate's name, the directory of another client's certificate, a PEM file "
        "(leaf first), or a list of these.",
        example='"example.org"',
        read=_one_or_more,
    )
    records: tuple[str, ...] = key(
        ("3 1 1", _TA), doc="The kinds of records: usage, selector and matching type of each.", read=read_kinds
    )
    ttl: Duration = key(3600.0, doc="The TTL of the records in a new RRset.", read=read_life)
    min_wait: Duration = key(
        3600.0,
        doc="How long to wait from the moment at which every server has a record until it is relied on: this, or twice "
        "what may be cached, whichever is longer.",
    )
    issuer: Issuer = key(
        "top",
        doc='The CA key that 2 1 1 names: "top", that of the highest CA certificate which is sent along, "issuing", '
        'that of the one which issued the certificate, or "both".',
    )
    ta_pool: tuple[str, ...] = key(
        (),
        doc="Further CA keys to publish as 2 1 1: SHA-256 of their SubjectPublicKeyInfo, in hexadecimal.",
        example='["b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc"]',
        read=read_digests,
    )
    addresses: tuple[str, ...] = key(
        (),
        doc="Those of the endpoint's addresses that serve this certificate, by default all; what the others serve has "
        "to be covered too.",
        example='["192.0.2.25"]',
        read=read_hosts,
    )
    connect: str = key(
        "",
        doc="Where to reach the service for looking at it, instead of at its addresses (NAT, a blocked port 25).",
        example='"127.0.0.1:25"',
        read=read_door,
    )
    allow: tuple[str, ...] = key(
        (),
        doc="Checks of `tlsa compute` that these records may fail.",
        example='["pkix"]',
        read=read_allowed,
    )

    def __post_init__(self) -> None:
        if self.ta_pool and _TA not in self.records:
            hint = f'add "{_TA}" to records, or take ta_pool out'
            raise Rejected(f"is published as {_TA}, which is none of records", key="ta_pool", hint=hint)


class Named:
    """What ``certificate = …`` may mean: the ``certificates``, the ``broken`` ones too, or a path.

    ``lineages`` are the directories in which other clients keep some of them, ``state_dir`` is the program's own.
    """

    def __init__(
        self,
        certificates: Mapping[str, CertificateConfig],
        broken: Iterable[str],
        lineages: Iterable[tuple[str, Path | None]],
        state_dir: Path,
    ) -> None:
        self._names = {_folded(name): name for name in (*certificates, *broken)}
        of_clients = [*((name, one.lineage) for name, one in certificates.items()), *lineages]
        self._lineages = {os.path.realpath(path): name for name, path in of_clients if path is not None}
        self._state_dir = state_dir

    def reference(self, text: str, base: Path) -> str:
        """The name, or the absolute path that is in no certificate's table. Raises Rejected."""
        if found := self._names.get(_folded(text)):
            return found
        if "/" not in text:
            raise self._unknown(text)
        path = (base / text).absolute()
        real = os.path.realpath(path)
        if Path(real).is_relative_to(os.path.realpath(self._state_dir)):
            hint = "write the certificate's name: its next key is known by that alone"
            raise Rejected(f"{path} is inside state_dir", hint=hint)
        return self._lineages.get(real, str(path))

    def _unknown(self, text: str) -> Rejected:
        near = nearest(text, self._names.values())
        told = f"there is no certificate {text!r}" + (f"; the nearest is {near}" if near else "")
        return Rejected(told, hint=f"it needs a table [certificates.NAME]; a file is written with a slash: ./{text}")


def _folded(name: str) -> str:
    try:
        return names.owner(name)
    except NameInvalid:
        return name.lower()


def read_dane(document: Document, raw: object, named: Named) -> tuple[DaneConfig, ...]:
    """Every ``[[dane]]`` table. Raises ConfigError."""
    if not isinstance(raw, list | tuple):
        told = f"should be an array of tables, not {described(raw) if not isinstance(raw, Mapping) else kind(raw)}"
        raise ConfigError(told, path=document.path, key="[dane]", hint="write [[dane]] above the keys of each")
    tables = [replace(Table.of(document, "dane", each), number=count) for count, each in enumerate(raw, 1)]
    found = [_one(table, named) for table in tables]
    _check_alike(tables, found)
    return tuple(found)


def _one(table: Table, named: Named) -> DaneConfig:
    table.check_keys(key_names(DaneConfig))
    read = table.build(DaneConfig)
    try:
        references = [named.reference(text, table.document.base) for text in read.certificate]
    except Rejected as error:
        raise table.error("certificate", str(error), error.hint) from error
    return replace(read, certificate=tuple(dict.fromkeys(references)))


def _check_alike(tables: Sequence[Table], found: Sequence[DaneConfig]) -> None:
    """Raise ConfigError where two tables say for one RRset, or one service, what cannot both be."""
    from dnsbroker.endpoints import parse

    seen: dict[tuple[str, str], tuple[int, object]] = {}
    said = (
        (table, endpoint, name, getattr(one, name))
        for table, one in zip(tables, found, strict=True)
        for endpoint in map(parse, one.endpoint)
        for name in _ALIKE
    )
    for table, endpoint, name, value in said:
        number, other = seen.setdefault((name, _shared(name, endpoint)), (table.number, value))
        if value != other:
            told = f"differs from [[dane]] {number} for {endpoint}: {_shown(value)}, not {_shown(other)}"
            raise table.error(name, told, f"tables for one endpoint add up: write the same {name} in both")


def _shared(name: str, endpoint: Endpoint) -> str:
    """What has one value only: the service, or all that is at its TLSA records' owner name."""
    return str(endpoint) if name == "connect" else endpoint.tlsa_name


def _shown(value: object) -> str:
    return durations.show(value) if isinstance(value, float) else str(value) or "none"
