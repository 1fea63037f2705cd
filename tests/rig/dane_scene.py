"""A small sound world for `tlsa check`: a signed zone at two servers, a resolver that validates, a service with TLS.

Rule: left to itself nothing in it is wrong, so that each fault a test makes is the only one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import dns.rdata

from authority import Authority
from dnsbroker import keys, tlsa
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config
from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.checking import Means, Report, check
from dnsbroker.dane.subjects import Subject
from dnsbroker.endpoints import Endpoint, parse
from dnsbroker.events import Emitter, Event
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree
from dnsbroker.tlsa.computing import of_chain, of_key
from signing import NOW, ZoneKey
from tls_service import Script, TlsService, at_once

ORIGIN = "example.test."
IPS = ("127.0.0.21", "127.0.0.22")
HOST = "mail.example.test"
HOSTS = "mail A 127.0.0.1\n"
_BASIC = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\n"
_UNUSUAL = ("ca-certificate", "full-data", "many", "pkix", "sha512-alone", "whole-certificate")


class Scene:
    """The world. Its service presents ``chain`` at ``endpoint``; ``told`` are the events of the last look.

    ``tables`` are the configuration's, ``subjects`` what their references are, ``trust_ad`` as in ``[dns]``.
    """

    def __init__(self, servers: NameServers, runner: asyncio.Runner, script: Script) -> None:
        self._runner = runner
        self.tree = Tree(servers)
        self.zone_key = ZoneKey(ORIGIN)
        self.copies = self.tree.zone(ORIGIN, _BASIC, *IPS)
        self.tree.delegate("example NS ns1.example", "example NS ns2.example", f"example DS {self.zone_key.ds}")
        self.tree.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22")
        self.tree.resolver.behaviour.validates = True
        self.authority = Authority()
        self.key = keys.generate("ecdsa-p256")
        self.chain = self.issue([HOST])
        self.service = TlsService(script, self.key, self.chain)
        runner.run(self.service.__aenter__())
        self.port = int(self.service.address.rpartition(":")[2])
        self.endpoint = parse(f"tls://{HOST}:{self.port}")
        self.owner = f"_{self.port}._tcp.mail"
        self.told: list[Event] = []
        self.tables: tuple[DaneConfig, ...] = ()
        self.subjects: dict[str, Subject] = {}
        self.since: dict[str, float] = {}
        self.withdrawn: frozenset[str] = frozenset()
        self.without_authority: frozenset[str] = frozenset()
        self.trust_ad: bool | None = None
        self.have(HOSTS + self.records())

    def issue(self, names: Sequence[str], key: str = "", *, valid: tuple[int, int] = (-1, 89)) -> str:
        """A chain for ``key``, by default the service's, ``valid`` from and until so many days from now."""
        begin, end = valid
        lifetime = timedelta(days=end - begin)
        return self.authority.issue(key or self.key, names, not_before=NOW + timedelta(days=begin), lifetime=lifetime)

    def records(self, *kinds: str, owner: str = "", chain: str = "") -> str:
        """Lines of the zone: records of ``kinds``, by default 3 1 1 and 2 1 1, for ``chain``, by default the served."""
        made = tlsa.compute(chain or self.chain, kinds or ("3 1 1", "2 1 1"), allow=_UNUSUAL)
        return "".join(f"{owner or self.owner} TLSA {record}\n" for record in made)

    def have(self, text: str, *copies: Zone, unusable: bytes = b"", **times: object) -> None:
        """Have these servers, by default both, serve these records, signed at these ``times``.

        ``unusable`` are the octets of one more record for the endpoint, which no zone file could hold.
        """
        for each in copies or self.copies:
            each.load(f"@ SOA ns1 host 1 3600 600 86400 60\n{_BASIC}{text}")
            if unusable:
                found = each.data.find_rdataset(f"{self.owner}.{ORIGIN}", "TLSA", create=True)
                found.add(dns.rdata.GenericRdata(found.rdclass, found.rdtype, unusable), 60)
            self.zone_key.sign_zone(each, **times)  # type: ignore[arg-type]

    def configured(self, *endpoints: str, next_key: str = "", **changes: object) -> DaneConfig:
        """Have a table for ``endpoints`` with the service's certificate, reached where it listens."""
        coming = (of_key(next_key),) if next_key else ()
        self.subjects["mail"] = Subject("mail", live=of_chain(self.chain), live_pem=self.chain, next=coming)
        table = DaneConfig(endpoint=endpoints, certificate=("mail",), connect=self.service.address)
        self.tables = (replace(table, **changes),)  # type: ignore[arg-type]
        return self.tables[0]

    def present(self, chain: str, key: str = "") -> None:
        """Have the service serve another certificate."""
        self.service.present(key or self.key, chain)

    def config(self) -> Config:
        """The configuration that leads into this world."""
        dns = replace(self.tree.config(), trust_ad=self.trust_ad)
        return replace(Config.from_dict({}), dns=dns, dane=self.tables)

    def look(
        self, *endpoints: Endpoint, mail: Sequence[str] = (), services: Sequence[str] = (), configured: bool = False
    ) -> Report:
        """What `tlsa check` finds; of this world's endpoint where nothing is named, or of what is ``configured``."""
        self.told.clear()
        clock, exchange, config = SystemClock(), Exchange(1.0, 1.0), self.config()
        means = Means(
            config,
            Finder(config.dns, exchange, clock),
            exchange,
            clock,
            Emitter(clock, self.told.append),
            lambda reference: self.subjects[reference],
            lambda owner: self.since,
            self.withdrawn,
            lambda reference: reference in self.without_authority,
        )
        named = endpoints if endpoints or mail or services or configured else (self.endpoint,)
        return self._runner.run(check(means, named, mail=mail, services=services))

    def found(self, *endpoints: Endpoint, mail: Sequence[str] = (), services: Sequence[str] = ()) -> dict[str, Finding]:
        """The findings of that look by their words, each of which there is once."""
        told = self.look(*endpoints, mail=mail, services=services).all_findings
        assert len({finding.check for finding in told}) == len(told), told
        return {finding.check: finding for finding in told}

    def only(self, word: str) -> Finding:
        """The one finding there is."""
        found = self.found()
        assert list(found) == [word], found
        return found[word]

    def errors(self) -> set[str]:
        """The words of all errors."""
        return {one.check for one in self.look().all_findings if one.severity is Severity.ERROR}


@contextmanager
def standing(script: Script = at_once) -> Iterator[Scene]:
    """The world, for as long as the block lasts; the service says ``script`` before TLS."""
    with NameServers() as servers, asyncio.Runner() as runner:
        scene = Scene(servers, runner, script)
        try:
            yield scene
        finally:
            runner.run(scene.service.__aexit__(None, None, None))
