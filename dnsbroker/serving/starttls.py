"""How each protocol is asked to change over to TLS: its side of the dialogue, up to the service's consent.

Rule: nothing is said that the way to TLS does not need, nobody logs in, and what a service offers is not guessed:
without its own consent there is no handshake.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from dnsbroker.endpoints import Endpoint
from dnsbroker.serving.dialogue import Dialogue, Refused, quoted

Opening = Callable[[Dialogue, Endpoint], Awaitable[None]]

_XMPP_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
# Repetitions are bounded: what is searched was written by a stranger.
_XMPP_FEATURES = re.compile(rb"features\s{0,9}/>|</(\w{1,20}:)?(features|error|stream)\s{0,9}>")
_XMPP_ANSWER = re.compile(
    rb"<(proceed|failure)\b[^>]{0,200}/>|</(proceed|failure|(\w{1,20}:)?(error|stream))\s{0,9}>",
)
#: LDAPMessage 1 with the extended request of RFC 4511 section 4.14.1.
_LDAP_STARTTLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
_LDAP_EXTENDED_RESPONSE = 0x78
#: SSLRequest of PostgreSQL's protocol, its own length first.
_POSTGRES_SSL = bytes.fromhex("0000000804d2162f")


async def _smtp(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 3207. The greeting names this host by its address: it need have no name."""
    await _reply(dialogue, "220", "its greeting is")
    await dialogue.send(f"EHLO {dialogue.local_literal}\r\n".encode())
    offered = await _reply(dialogue, "250", "it answers EHLO with")
    if not any(line[4:].strip().upper() == "STARTTLS" for line in offered):
        raise Refused("it does not offer STARTTLS")
    await dialogue.send(b"STARTTLS\r\n")
    await _reply(dialogue, "220", "it answers STARTTLS with")


async def _ftp(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 4217 section 4."""
    await _reply(dialogue, "220", "its greeting is")
    await dialogue.send(b"AUTH TLS\r\n")
    await _reply(dialogue, "234", "it answers AUTH TLS with")


async def _reply(dialogue: Dialogue, code: str, otherwise: str) -> list[str]:
    """The lines of a reply that begins with ``code`` (RFC 5321 section 4.2.1, RFC 959 section 4.2)."""
    lines = [await dialogue.line()]
    first = lines[0]
    while first[3:4] == "-" and not lines[-1].startswith(first[:3] + " ") and lines[-1] != first[:3]:
        lines.append(await dialogue.line())
    if first[:3] != code or first[3:4] not in ("", " ", "-"):
        raise Refused(f"{otherwise} {quoted(lines[-1])}")
    return lines


async def _imap(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 9051 section 6.2.1. Untagged lines before the tagged one are none of our business."""
    greeting = await dialogue.line()
    if not greeting.upper().startswith("* OK"):
        raise Refused(f"its greeting is {quoted(greeting)}")
    await dialogue.send(b"a STARTTLS\r\n")
    answer = await dialogue.line()
    while answer.startswith("* ") and not answer.upper().startswith("* BYE"):
        answer = await dialogue.line()
    if not re.match("a OK\\b", answer, re.IGNORECASE):
        raise Refused(f"it answers STARTTLS with {quoted(answer)}")


async def _pop3(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 2595 section 4."""
    await _said(dialogue, r"\+OK\b", "its greeting is")
    await dialogue.send(b"STLS\r\n")
    await _said(dialogue, r"\+OK\b", "it answers STLS with")


async def _sieve(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 5804 sections 1.7 and 2.2: capabilities, one a line, come before the greeting's OK."""
    greeting = await dialogue.line()
    while greeting.startswith('"'):
        greeting = await dialogue.line()
    if not re.match(r"OK\b", greeting, re.IGNORECASE):
        raise Refused(f"its greeting is {quoted(greeting)}")
    await dialogue.send(b"STARTTLS\r\n")
    await _said(dialogue, r"OK\b", "it answers STARTTLS with")


async def _said(dialogue: Dialogue, wanted: str, otherwise: str) -> None:
    line = await dialogue.line()
    if not re.match(wanted, line, re.IGNORECASE):
        raise Refused(f"{otherwise} {quoted(line)}")


async def _xmpp(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 6120 sections 4.2 and 5.4."""
    kind = endpoint.scheme.removeprefix("xmpp-")
    header = (
        f"<?xml version='1.0'?><stream:stream xmlns='jabber:{kind}'"
        f" xmlns:stream='http://etherx.jabber.org/streams' to='{endpoint.host}' version='1.0'>"
    )
    await dialogue.send(header.encode())
    offered = await dialogue.until(_XMPP_FEATURES)
    if _XMPP_TLS.encode() not in offered:
        condition = re.search(rb"<([\w-]{1,40})\s[^>]{0,40}urn:ietf:params:xml:ns:xmpp-streams", offered)
        told = f": {condition[1].decode()}" if condition else ""
        raise Refused(f"it offers no STARTTLS to a stream for {endpoint.host}{told}")
    await dialogue.send(f"<starttls xmlns='{_XMPP_TLS}'/>".encode())
    answer = await dialogue.until(_XMPP_ANSWER)
    if not answer.lstrip().startswith(b"<proceed"):
        raise Refused(f"it answers starttls with {quoted(answer)}")


async def _ldap(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """RFC 4511 section 4.14: a result code other than success is no consent."""
    await dialogue.send(_LDAP_STARTTLS)
    message = await _ber(dialogue, 0x30)
    # Integers here have one octet: the message ID that we chose, and result codes that RFC 4511 numbers below 128.
    if message[:3] != b"\x02\x01\x01" or message[3:4] != bytes([_LDAP_EXTENDED_RESPONSE]):
        raise Refused("it answers the StartTLS operation with something else")
    result = message.find(b"\x0a\x01", 4, 12)
    if result < 0 or message[result + 2 : result + 3] != b"\x00":
        code = f"result code {message[result + 2]}" if 0 <= result < len(message) - 2 else "no result code"
        raise Refused(f"it answers the StartTLS operation with {code}")


async def _ber(dialogue: Dialogue, tag: int) -> bytes:
    """The content of the element that comes next, if it has ``tag`` (X.690 section 8.1)."""
    head = await dialogue.exactly(2)
    if head[0] != tag:
        raise Refused("what it says is no LDAP")
    length = head[1]
    if length >= 0x80:
        octets = await dialogue.exactly(length - 0x80) if length <= 0x84 else b""
        length = int.from_bytes(octets)
    return await dialogue.exactly(length)


async def _postgres(dialogue: Dialogue, endpoint: Endpoint) -> None:
    """The message SSLRequest, answered by one octet."""
    await dialogue.send(_POSTGRES_SSL)
    answer = await dialogue.exactly(1)
    if answer != b"S":
        raise Refused("it has TLS switched off" if answer == b"N" else f"it answers SSLRequest with {quoted(answer)}")


OPENINGS: Mapping[str, Opening] = {
    "smtp": _smtp,
    "submission": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "xmpp-client": _xmpp,
    "xmpp-server": _xmpp,
    "ftp": _ftp,
    "ldap": _ldap,
    "sieve": _sieve,
    "postgres": _postgres,
}
"""What is said before TLS, by scheme; each raises Refused where the service does not consent."""
