"""The certificate that a service presents, seen over each way to TLS, and what bars the way."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.endpoints import STARTTLS_PORTS, TLS_PORTS, parse
from dnsbroker.errors import ServiceUnreachable
from dnsbroker.serving import chain_served, chains_served, leaf_served
from tls_service import HangUp, Script, Talk, TlsService, at_once

HOST = "mail.example.org"
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, [HOST])
LEAF = ssl.PEM_cert_to_DER_cert(keys.read_chain(CHAIN)[0])

LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
LDAP_SUCCESS = bytes.fromhex("300c02010178070a010004000400")
POSTGRES_REQUEST = bytes.fromhex("0000000804d2162f")
FEATURES = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def script(*turns: str | bytes) -> Script:
    """The service's words and the client's, in turn."""

    async def run(talk: Talk) -> None:
        for index, turn in enumerate(turns):
            await (talk.hear(turn) if index % 2 else talk.say(turn))

    return run


def stream(kind: str, host: str = HOST) -> str:
    """How an XMPP client opens its stream."""
    return (
        f"<?xml version='1.0'?><stream:stream xmlns='jabber:{kind}'"
        f" xmlns:stream='http://etherx.jabber.org/streams' to='{host}' version='1.0'>"
    )


def xmpp(kind: str, features: str = FEATURES, answer: str = PROCEED) -> Script:
    """An XMPP service."""
    opened = f"<?xml version='1.0'?><stream:stream id='1' xmlns='jabber:{kind}' version='1.0'>"
    ask = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    return script("", stream(kind), opened + features, ask, answer)


def smtp(
    greeting: str = "220 mail.example.org ESMTP\r\n",
    offer: str = "250-mail.example.org\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
    answer: str = "220 2.0.0 ready\r\n",
) -> Script:
    """A mail server."""
    return script(greeting, "EHLO [127.0.0.1]\r\n", offer, "STARTTLS\r\n", answer)


def imap(greeting: str = "* OK ready\r\n", answer: str = "a OK begin\r\n") -> Script:
    """An IMAP server."""
    return script(greeting, "a STARTTLS\r\n", answer)


def pop3(greeting: str = "+OK ready\r\n", answer: str = "+OK begin\r\n") -> Script:
    """A POP3 server."""
    return script(greeting, "STLS\r\n", answer)


def ftp(greeting: str = "220 ready\r\n", answer: str = "234 begin\r\n") -> Script:
    """An FTP server."""
    return script(greeting, "AUTH TLS\r\n", answer)


def sieve(greeting: str = '"SASL" ""\r\n"STARTTLS"\r\nOK "ready"\r\n', answer: str = 'OK "begin"\r\n') -> Script:
    """A ManageSieve server."""
    return script(greeting, "STARTTLS\r\n", answer)


def ldap(answer: bytes = LDAP_SUCCESS) -> Script:
    """A directory."""
    return script("", LDAP_REQUEST, answer)


def postgres(answer: str = "S") -> Script:
    """A database."""
    return script("", POSTGRES_REQUEST, answer)


async def served(scheme: str, talk: Script, seconds: float = 5.0) -> tuple[bytes, list[str | None]]:
    """What a service of that ``scheme`` is seen to serve, and the names asked for by SNI."""
    port = ":1" if scheme == "tls" else ""
    async with TlsService(talk, KEY, CHAIN) as service:
        leaf = await leaf_served(parse(f"{scheme}://{HOST}{port}"), service.address, seconds=seconds)
    return leaf, service.names


def refusal(scheme: str, talk: Script, seconds: float = 5.0) -> ServiceUnreachable:
    """The error that comes of it."""
    with pytest.raises(ServiceUnreachable) as caught:
        asyncio.run(served(scheme, talk, seconds))
    return caught.value


SERVICES = {
    "smtp": smtp(),
    "submission": smtp(),
    "imap": imap(),
    "pop3": pop3(),
    "xmpp-client": xmpp("client"),
    "xmpp-server": xmpp("server"),
    "ftp": ftp(),
    "ldap": ldap(),
    "sieve": sieve(),
    "postgres": postgres(),
}


def test_every_scheme_with_starttls_has_a_service_here() -> None:
    """None is left out."""
    assert set(SERVICES) == set(STARTTLS_PORTS)


@pytest.mark.parametrize("scheme", SERVICES)
def test_the_leaf_is_seen_behind_starttls(scheme: str) -> None:
    """Each protocol is spoken octet by octet, then TLS is begun for the host meant."""
    assert asyncio.run(served(scheme, SERVICES[scheme])) == (LEAF, [HOST])


@pytest.mark.parametrize("scheme", TLS_PORTS)
def test_the_leaf_is_seen_where_tls_begins_at_once(scheme: str) -> None:
    """Not a word is said before."""
    assert asyncio.run(served(scheme, at_once)) == (LEAF, [HOST])


@pytest.mark.parametrize(
    ("scheme", "talk"),
    [
        ("smtp", smtp(greeting="220-mail.example.org\r\n220-no spam\r\n220 ESMTP\r\n")),
        ("smtp", smtp(offer="250-mail.example.org\r\n250-starttls\r\n250 HELP\r\n")),
        ("smtp", smtp(answer="220\r\n")),
        ("smtp", smtp(greeting="220 bare newline\n")),
        ("imap", imap(greeting="* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")),
        ("imap", imap(answer="* CAPABILITY IMAP4rev1\r\n* OK soon\r\nA ok now\r\n")),
        ("ftp", ftp(greeting="220-Welcome\r\n230 is only text here\r\n220 ready\r\n")),
        ("sieve", sieve(greeting="OK\r\n", answer="ok\r\n")),
        ("xmpp-client", xmpp("client", answer="<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>")),
        ("ldap", ldap(bytes.fromhex("3084000000100201017884000000070a010004000400"))),
    ],
)
def test_what_the_protocol_allows_is_understood(scheme: str, talk: Script) -> None:
    """Several lines, either case, both forms of a length: services differ."""
    assert asyncio.run(served(scheme, talk))[0] == LEAF


@pytest.mark.parametrize(
    ("scheme", "talk", "why"),
    [
        ("smtp", smtp(greeting="554 no mail here\r\n"), 'its greeting is "554 no mail here"'),
        ("smtp", smtp(greeting="2200 odd\r\n"), 'its greeting is "2200 odd"'),
        ("smtp", smtp(offer="502 no such command\r\n"), 'it answers EHLO with "502 no such command"'),
        ("smtp", smtp(offer="250-mail\r\n250 STARTTLSX\r\n"), "it does not offer STARTTLS"),
        ("smtp", smtp(answer="454 4.7.0 TLS not available\r\n"), 'STARTTLS with "454 4.7.0 TLS not available"'),
        ("submission", smtp(answer="503 5.5.1 TLS\x1b[2J active\r\n"), '"503 5.5.1 TLS?[2J active"'),
        ("imap", imap(greeting="* PREAUTH welcome\r\n"), 'its greeting is "* PREAUTH welcome"'),
        ("imap", imap(answer="a NO not now\r\n"), 'it answers STARTTLS with "a NO not now"'),
        ("imap", imap(answer="a BAD unknown\r\n"), 'it answers STARTTLS with "a BAD unknown"'),
        ("imap", imap(answer="* BYE\r\n"), 'it answers STARTTLS with "* BYE"'),
        ("pop3", pop3(greeting="-ERR busy\r\n"), 'its greeting is "-ERR busy"'),
        ("pop3", pop3(answer="-ERR no\r\n"), 'it answers STLS with "-ERR no"'),
        ("ftp", ftp(greeting="421 busy\r\n"), 'its greeting is "421 busy"'),
        ("ftp", ftp(answer="530 log in first\r\n"), 'it answers AUTH TLS with "530 log in first"'),
        ("sieve", sieve(greeting='BYE "busy"\r\n'), "its greeting is"),
        ("sieve", sieve(answer='NO "no"\r\n'), "it answers STARTTLS with"),
        ("postgres", postgres("N"), "it has TLS switched off"),
        ("postgres", postgres("E"), "it answers SSLRequest with"),
        ("ldap", ldap(bytes.fromhex("300c02010178070a013404000400")), "with result code 52"),
        ("ldap", ldap(bytes.fromhex("300c02010161070a010004000400")), "with something else"),
        ("ldap", ldap(bytes.fromhex("3003020101")), "with something else"),
        ("ldap", ldap(b"HTTP/1.1 400 Bad Request\r\n"), "what it says is no LDAP"),
        ("xmpp-client", xmpp("client", features="<stream:features/>"), "it offers no STARTTLS to a stream for"),
        (
            "xmpp-server",
            xmpp(
                "server",
                features="<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            ),
            "it offers no STARTTLS to a stream for mail.example.org: host-unknown",
        ),
        (
            "xmpp-client",
            xmpp("client", answer="<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            "it answers starttls with",
        ),
    ],
)
def test_without_the_service_s_consent_there_is_no_handshake(scheme: str, talk: Script, why: str) -> None:
    """The error has the service's own words, made harmless."""
    error = refusal(scheme, talk)
    assert why in error.reason
    assert error.message == f"{scheme}://{HOST} at {error.address}: {error.reason}"
    assert error.transient
    assert not error.untested


@pytest.mark.parametrize(
    ("scheme", "talk"),
    [
        ("smtp", smtp(answer="220 ready\r\n250 OK\r\n")),
        ("imap", imap(answer="a OK begin\r\n* CAPABILITY PREAUTH\r\n")),
        ("pop3", pop3(answer="+OK begin\r\n+OK\r\n")),
        ("ftp", ftp(answer="234 begin\r\n230 in\r\n")),
        ("sieve", sieve(answer='OK "begin"\r\n"SASL" "PLAIN"\r\n')),
        ("xmpp-client", xmpp("client", answer=PROCEED + FEATURES)),
        ("ldap", ldap(LDAP_SUCCESS + LDAP_SUCCESS)),
        ("postgres", postgres("SN")),
    ],
)
def test_what_is_said_in_the_clear_after_the_consent_is_refused(scheme: str, talk: Script) -> None:
    """Somebody on the path may have put it there, to be taken for what came by TLS."""
    assert "it goes on in the clear after agreeing to TLS" in refusal(scheme, talk).reason


@pytest.mark.parametrize("scheme", ["https", *SERVICES])
def test_a_service_that_hangs_is_left_when_the_time_is_over(scheme: str) -> None:
    """And one that answers every word but the last."""

    async def mute(talk: Talk) -> None:
        await talk.hang()

    assert refusal(scheme, mute, 0.05).reason == "no certificate within 0.05 s"


@pytest.mark.parametrize("scheme", ["https", *SERVICES])
def test_a_service_that_hangs_up_is_told(scheme: str) -> None:
    """Wherever it does."""

    async def gone(talk: Talk) -> None:
        raise HangUp

    assert refusal(scheme, gone).reason in ("it closed the connection", "connection reset by peer")


@pytest.mark.parametrize("scheme", ["https", "smtp", "xmpp-client", "ldap"])
def test_a_service_that_never_stops_talking_is_left(scheme: str) -> None:
    """What it may say is bounded."""
    flood = (
        b"\x30\x84\xff\xff\xff\xff" if scheme == "ldap" else b"\x16\x03\x03\xff\xff" if scheme == "https" else b"<a>"
    )

    async def flooding(talk: Talk) -> None:
        await talk.say(flood + 300 * 1024 * b"x")
        await talk.hang()

    reason = refusal(scheme, flooding).reason
    assert reason == "it sent more than 256 KiB" or (scheme == "https" and "the TLS handshake fails" in reason)


def test_a_service_without_tls_is_no_tls_service() -> None:
    """HTTP on the port of HTTPS."""

    async def plain(talk: Talk) -> None:
        await talk.say("HTTP/1.1 400 Bad Request\r\n\r\n")
        await talk.hang()

    assert "the TLS handshake fails" in refusal("https", plain).reason


def test_nobody_listening_is_told_in_the_system_s_words() -> None:
    """The port is closed."""

    async def look() -> None:
        async with TlsService(at_once, KEY, CHAIN) as service:
            pass
        await leaf_served(parse(f"https://{HOST}"), service.address)

    with pytest.raises(ServiceUnreachable, match="connection refused") as caught:
        asyncio.run(look())
    assert not caught.value.untested
    assert caught.value.hint


def test_an_address_without_a_route_says_nothing_about_the_service() -> None:
    """There is no way from here to a group's address by TCP, as there is none to IPv6 on a host without it."""
    with pytest.raises(ServiceUnreachable, match="network is unreachable") as caught:
        asyncio.run(leaf_served(parse(f"https://{HOST}"), "224.0.0.1", seconds=0.5))
    assert caught.value.untested


def test_an_address_is_one() -> None:
    """Not a name: looking up is somebody else's task."""
    with pytest.raises(ValueError, match="is not an IP address"):
        asyncio.run(leaf_served(parse(f"https://{HOST}"), HOST))


def test_an_expired_certificate_for_another_host_is_seen_like_any_other() -> None:
    """Who looks compares; that nothing is verified is what makes a stale certificate visible."""

    async def look() -> bytes:
        chain = Authority("other").issue(KEY, ["other.example.net"])
        async with TlsService(at_once, KEY, chain) as service:
            return await leaf_served(parse(f"https://{HOST}"), service.address)

    assert keys.describe(ssl.DER_cert_to_PEM_cert(asyncio.run(look()))).names == ("other.example.net",)


def test_the_chain_is_seen_as_it_is_sent() -> None:
    """Leaf first, each certificate, and not the root, which stays at home."""

    async def look() -> tuple[bytes, ...]:
        async with TlsService(at_once, KEY, CHAIN) as service:
            return await chain_served(parse(f"https://{HOST}"), service.address)

    assert asyncio.run(look()) == tuple(map(ssl.PEM_cert_to_DER_cert, keys.read_chain(CHAIN)))


@pytest.mark.parametrize("has_both", [True, False])
def test_every_chain_of_a_service_is_seen(has_both: bool) -> None:
    """One for each algorithm, each once; a service with one has one."""
    rsa = keys.generate("rsa2048")
    other = Authority("other").issue(rsa, [HOST])

    async def look() -> tuple[tuple[bytes, ...], ...]:
        async with TlsService(at_once, KEY, CHAIN) as service:
            if has_both:
                service.present_too(rsa, other)
            return await chains_served(parse(f"https://{HOST}"), service.address)

    wanted = [CHAIN, other] if has_both else [CHAIN]
    found = asyncio.run(look())
    assert sorted(found) == sorted(tuple(map(ssl.PEM_cert_to_DER_cert, keys.read_chain(chain))) for chain in wanted)
