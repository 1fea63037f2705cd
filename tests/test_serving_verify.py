"""Does each address serve the certificate? Services on loopback reload, lag behind, refuse."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.clock import Deadline
from dnsbroker.endpoints import parse
from dnsbroker.errors import PemInvalid
from dnsbroker.serving import Seen, verify
from dnsbroker.testing import FakeClock
from tls_service import HangUp, Script, Talk, TlsService, at_once

HTTPS = parse("https://www.example.org")
KEY = keys.generate("ecdsa-p256")
AUTHORITY = Authority()
OLD = AUTHORITY.issue(KEY, ["www.example.org"], serial=0xA1)
NEW = AUTHORITY.issue(KEY, ["www.example.org"], serial=0xB2)


def looked(addresses: Iterable[str], chain: str = NEW, seconds: float = 0.0) -> tuple[Seen, ...]:
    """What is seen there by the deadline."""
    return asyncio.run(verify(HTTPS, addresses, chain, Deadline.after(FakeClock(), seconds)))


async def seen_at(service: TlsService, chain: str = NEW, clock: FakeClock | None = None, seconds: float = 0.0) -> Seen:
    """What is seen at one service."""
    async with service:
        (seen,) = await verify(HTTPS, [service.address], chain, Deadline.after(clock or FakeClock(), seconds))
    return seen


def test_a_service_with_the_certificate_serves_it() -> None:
    """Its serial and its end are told too."""
    seen = asyncio.run(seen_at(TlsService(at_once, KEY, NEW)))
    assert (seen.state, seen.serial, seen.not_after) == ("serves", "b2", keys.describe(NEW).not_after)
    assert str(seen) == f"https://www.example.org at {seen.address} serves the certificate"


def test_the_old_certificate_is_not_the_new_one_though_the_key_is() -> None:
    """Which one it is, is told by serial and end."""
    seen = asyncio.run(seen_at(TlsService(at_once, KEY, OLD)))
    assert (seen.state, seen.serial, seen.not_after) == ("another", "a1", keys.describe(OLD).not_after)
    assert str(seen).endswith("serves another certificate, with serial a1, valid until 2027-01-30")


def test_the_same_serial_of_another_ca_is_another_certificate() -> None:
    """What is compared is the certificate, not what it calls itself."""
    other = Authority("other").issue(KEY, ["www.example.org"], serial=0xB2)
    assert asyncio.run(seen_at(TlsService(at_once, KEY, other))).state == "another"


def test_a_service_that_reloads_in_time_serves_it() -> None:
    """Looking goes on until it does, and no longer."""
    clock = FakeClock()
    service = TlsService(at_once, KEY, OLD)

    class Reloading(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await clock.sleep(seconds)
            if len(clock.slept) == 3:
                service.present(KEY, NEW)

        def monotonic(self) -> float:
            return clock.monotonic()

    seen = asyncio.run(seen_at(service, clock=Reloading(), seconds=10))
    assert seen.state == "serves"
    assert len(service.names) == 4
    assert clock.slept == [0.2, 0.4, 0.8]


def test_a_service_that_never_reloads_is_given_up_at_the_deadline() -> None:
    """No wait passes it."""
    clock = FakeClock()
    assert asyncio.run(seen_at(TlsService(at_once, KEY, OLD), clock=clock, seconds=10)).state == "another"
    assert clock.monotonic() <= 10
    assert clock.monotonic() > 7


def test_a_service_that_comes_back_from_a_restart_serves_it() -> None:
    """Refusing is no verdict before the deadline."""
    turns = iter([True, False])

    async def restarting(talk: Talk) -> None:
        if next(turns):
            raise HangUp

    assert asyncio.run(seen_at(TlsService(restarting, KEY, NEW), seconds=10)).state == "serves"


def test_each_address_has_its_own_verdict() -> None:
    """One that lags does not hide behind another that is right; nor does one that is gone."""

    async def look() -> tuple[Seen, ...]:
        async with TlsService(at_once, KEY, NEW) as right, TlsService(at_once, KEY, OLD, "127.0.0.2") as stale:
            async with TlsService(at_once, KEY, NEW) as gone:
                pass
            addresses = (right.address, stale.address, gone.address)
            return await verify(HTTPS, addresses, NEW, Deadline.after(FakeClock(), 0))

    seen = asyncio.run(look())
    assert [each.state for each in seen] == ["serves", "another", "unreachable"]
    assert seen[2].reason == "connection refused"
    assert str(seen[2]).endswith("cannot be seen: connection refused")


RSA_KEY = keys.generate("rsa2048")
RSA = AUTHORITY.issue(RSA_KEY, ["www.example.org"], serial=0xC3)


@pytest.mark.parametrize(("chain", "serial"), [(NEW, "b2"), (RSA, "c3")])
def test_of_two_certificates_for_two_algorithms_the_one_meant_is_looked_for(chain: str, serial: str) -> None:
    """A client that knows both is given the service's favourite."""
    service = TlsService(at_once, KEY, NEW)
    service.present_too(RSA_KEY, RSA)
    seen = asyncio.run(seen_at(service, chain=chain))
    assert (seen.state, seen.serial) == ("serves", serial)


def test_a_stale_certificate_beside_one_for_another_algorithm_is_seen() -> None:
    """The twin: that there is some certificate for it is not enough."""
    stale = AUTHORITY.issue(RSA_KEY, ["www.example.org"], serial=0xC2)
    service = TlsService(at_once, KEY, NEW)
    service.present_too(RSA_KEY, stale)
    assert asyncio.run(seen_at(service, chain=RSA)).state == "another"


def test_a_certificate_for_the_other_algorithm_alone_is_another() -> None:
    """The service was given only that."""
    seen = asyncio.run(seen_at(TlsService(at_once, RSA_KEY, RSA), chain=NEW))
    assert (seen.state, seen.serial) == ("another", "c3")


def for_stream(domain: str) -> Script:
    """An XMPP service that knows one domain."""
    unknown = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    tls = "urn:ietf:params:xml:ns:xmpp-tls"

    async def run(talk: Talk) -> None:
        asked = re.search(r" to='([^']*)'", await talk.hear_until("version='1.0'>"))
        if asked is None or asked[1] != domain:
            await talk.say(f"<stream:stream>{unknown}")
            raise HangUp
        await talk.say(f"<stream:stream><stream:features><starttls xmlns='{tls}'/></stream:features>")
        await talk.hear(f"<starttls xmlns='{tls}'/>")
        await talk.say(f"<proceed xmlns='{tls}'/>")

    return run


@pytest.mark.parametrize("domain", ["xmpp.example.org", "example.org"])
def test_an_xmpp_service_may_be_its_host_s_or_a_domain_s(domain: str) -> None:
    """The host is where a domain's SRV record points; the certificate says for which domain it may be."""
    chain = AUTHORITY.issue(KEY, ["example.org", "xmpp.example.org", "*.example.org", "example.net"])

    async def look() -> tuple[Seen, list[str | None]]:
        async with TlsService(for_stream(domain), KEY, chain) as service:
            deadline = Deadline.after(FakeClock(), 0)
            (seen,) = await verify(parse("xmpp-client://xmpp.example.org"), [service.address], chain, deadline)
        return seen, service.names

    seen, names = asyncio.run(look())
    assert (seen.state, names) == ("serves", ["xmpp.example.org"])


def test_an_xmpp_service_for_another_domain_is_not_guessed() -> None:
    """Only what the host stands below is tried."""

    async def look() -> Seen:
        chain = AUTHORITY.issue(KEY, ["example.org", "xmpp.example.org", "example.net"])
        async with TlsService(for_stream("example.net"), KEY, chain) as service:
            deadline = Deadline.after(FakeClock(), 0)
            (seen,) = await verify(parse("xmpp-client://xmpp.example.org"), [service.address], chain, deadline)
        return seen

    seen = asyncio.run(look())
    assert seen.state == "unreachable"
    assert seen.reason.endswith("to a stream for xmpp.example.org: host-unknown")


def test_only_the_leaf_counts() -> None:
    """The chain behind it may be another one."""
    leaf = keys.read_chain(NEW)[0]
    assert asyncio.run(seen_at(TlsService(at_once, KEY, leaf), chain=NEW)).state == "serves"


def test_what_is_no_certificate_cannot_be_looked_for() -> None:
    """It is an error of the caller, not of the service."""
    with pytest.raises(PemInvalid):
        looked(["127.0.0.1:1"], chain="nothing")


def test_an_address_without_a_route_is_untested_at_once() -> None:
    """Waiting would not bring a route; this host's lack is not the service's fault."""
    (seen,) = looked(["224.0.0.1"], seconds=10)
    assert seen.state == "untested"
    assert str(seen).endswith("cannot be tested from here: network is unreachable")


def test_no_address_is_no_verdict() -> None:
    """Nothing was seen."""
    assert looked([]) == ()


def test_the_certificate_meant_is_the_first_of_its_file() -> None:
    """A service that presents the issuing CA's certificate alone does not serve it."""
    assert ssl.PEM_cert_to_DER_cert(keys.read_chain(NEW)[0]) != ssl.PEM_cert_to_DER_cert(AUTHORITY.issuing_pem)
