"""`tlsa check` among real signers, secondaries and a real validating resolver: sound is sound, and bogus is bogus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from authority import Authority
from dnsbroker import keys, tlsa
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config, DNSConfig
from dnsbroker.dane.checking import Means, Report, check
from dnsbroker.dane.subjects import Subject
from dnsbroker.endpoints import parse
from dnsbroker.events import Emitter
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from lab.rig import Lab
from lab.topology import RESOLVER, Domain
from signing import NOW
from tls_service import TlsService, at_once

CHECKED = Domain("checked.test", "powerdns", ["bind-secondary", "nsd"])
PLAIN = Domain("plaincheck.test", "bind", signed=False)
HOST = "mail.checked.test"


@dataclass
class House:
    """A zone with a service; ``at`` gives the endpoint's text for a host."""

    lab: Lab
    runner: asyncio.Runner
    port: int

    def found(self, host: str = HOST) -> set[str]:
        """What is found at the service of ``host``, by the words."""
        endpoint = parse(f"tls://{host}:{self.port}")
        clock, exchange = SystemClock(), Exchange()
        config = replace(Config.from_dict({}), dns=DNSConfig(resolvers=(RESOLVER,)))
        finder = Finder(config.dns, exchange, clock)
        means = Means(config, finder, exchange, clock, Emitter(clock, None), _nothing)
        report: Report = self.runner.run(check(means, [endpoint]))
        return {finding.check for finding in report.all_findings}


def _nothing(reference: str) -> Subject:
    raise AssertionError(reference)


@pytest.fixture(scope="module")
def house(running_lab: Lab) -> Iterator[House]:
    """The zone, its records for what is served, beside names that lead where nothing is signed or nothing is there."""
    running_lab.clean()
    key = keys.generate("ecdsa-p256")
    chain = Authority().issue(key, [HOST], not_before=NOW - timedelta(days=1))
    with asyncio.Runner() as runner:
        service = TlsService(at_once, key, chain)
        runner.run(service.__aenter__())
        port = int(service.address.rpartition(":")[2])
        records = [f"_{port}._tcp.mail TLSA {record}" for record in tlsa.compute(chain, ["3 1 1", "2 1 1"])]
        lines = [
            *("mail A 127.0.0.1", "bare A 127.0.0.1", "away CNAME mail.plaincheck.test.", "led A 127.0.0.1"),
            f"_{port}._tcp.led CNAME _{port}._tcp.mail.plaincheck.test.",
            *records,
        ]
        zones = [
            replace(CHECKED, records="\n".join([*lines, ""])),
            replace(PLAIN, records="\n".join(["mail A 127.0.0.1", *records, ""])),
        ]
        with standing(running_lab, zones):
            yield House(running_lab, runner, port)
        runner.run(service.__aexit__(None, None, None))


@contextmanager
def standing(lab: Lab, zones: Sequence[Domain]) -> Iterator[None]:
    """These zones, for as long as the block lasts."""
    try:
        for zone in zones:
            lab.create_zone(zone)
        yield
    finally:
        for zone in zones:
            if zone.name in lab.domains:
                lab.drop_zone(zone.name)


def test_a_sound_endpoint_is_passed(house: House) -> None:
    """Signed by PowerDNS, served by BIND and NSD as well, judged by Unbound."""
    assert house.found() == set()


def test_a_proved_denial_is_no_record(house: House) -> None:
    """The twin: a host of the same zone without records."""
    assert house.found("bare.checked.test") == {"no-records"}


def test_what_leads_out_of_signed_zones_is_insecure(house: House) -> None:
    """A host that is an alias, and records that are; the former is known by its alias still, and has no record."""
    assert house.found("led.checked.test") >= {"insecure", "not-signed"}
    assert house.found("away.checked.test") == {"alias-insecure", "no-records"}
    assert house.found("mail.plaincheck.test") >= {"insecure", "not-signed"}


def test_a_broken_chain_of_trust_is_bogus(house: House) -> None:
    """The last one: the parent has the DS of another key, as the resolver says and the name servers show."""
    house.lab.root.update("test", delete={(CHECKED.name, "DS"): []})
    house.lab.root.update("test", add={(CHECKED.name, "DS"): ["12345 13 2 " + "ab" * 32]})
    house.lab.unbound.flush()
    assert house.found() == {"bogus", "bogus-signature"}
