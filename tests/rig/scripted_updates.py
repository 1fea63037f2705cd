"""An RFC 2136 server whose answers a test writes: every code there is, on loopback, with a key of its own.

Rule: nothing that an update asks for is done. Refused: more than one key and one zone.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.tsig
import dns.update

from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings, zones
from dnsbroker.testing.listener import Listener, Reply, Thread
from dnsbroker_rfc2136 import RFC2136, RFC2136Settings
from dnsbroker_rfc2136.settings import ALGORITHMS

ZONE = "@ SOA ns1 hostmaster 7 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.1\nchild NS ns1\n"
SECRET = b"0123456789abcdef0123456789abcdef"

Message = dns.message.Message


class Scripted:
    """A server for one key and the zone example.org, whose answers a test bends.

    ``update`` makes the answer to an UPDATE from the plain one, ``question`` that to a question; an UPDATE without a
    signature is refused unless ``takes_unsigned``. ``updates`` holds the UPDATE messages, ``questions`` what was asked
    by which transport.
    """

    def __init__(self, text: str = ZONE, origin: str = "example.org.") -> None:
        self.zone = zones.parse(origin, text)
        self.algorithm = "hmac-sha256"
        self.update: Callable[[Message], None] = lambda answer: None
        self.question: Callable[[Message], None] = lambda answer: None
        self.refuses_tcp = False
        self.takes_unsigned = False
        self.updates: list[dns.update.UpdateMessage] = []
        self.questions: list[str] = []
        self._listener = Listener(self._answer)

    def _answer(self, octets: bytes, *, tcp: bool, port: int) -> Reply | None:
        if tcp and self.refuses_tcp:
            return Reply(b"")
        key = dns.tsig.Key("acme-key.", SECRET, ALGORITHMS[self.algorithm])
        query = dns.message.from_wire(octets, keyring=key)
        if isinstance(query, dns.update.UpdateMessage):
            self.updates.append(query)
            answer: Message = dns.message.make_response(query)
            if query.had_tsig or self.takes_unsigned:
                self.update(answer)
            else:
                answer.set_rcode(dns.rcode.REFUSED)
        else:
            recursion = " RD" if query.flags & dns.flags.RD else ""
            self.questions.append(f"{query.question[0].to_text()} {'TCP' if tcp else 'UDP'}{recursion}")
            answer = zones.reply([self.zone], query)
            self.question(answer)
        return Reply(answer.to_wire())

    def __enter__(self) -> Scripted:
        self._thread = Thread()
        self.port = 0
        for port in range(20000 + time.time_ns() % 10000, 32000):
            try:
                self._thread.run(self._listener.open("127.0.0.1", port))
            except OSError:
                continue
            self.port = port
            return self
        raise OSError("no free port")

    def __exit__(self, *ended: object) -> None:
        self._thread.run(self._listener.close())
        self._thread.close()


def adapter_for(server: Scripted, clock: FakeClock | None = None, **changed: Any) -> RFC2136:
    """An adapter for the server."""
    secret = Secret("a test", lambda: base64.b64encode(SECRET).decode())
    known: dict[str, Any] = {"server": "127.0.0.1", "port": server.port, "tsig_name": "acme-key", "tsig_secret": secret}
    return RFC2136(RFC2136Settings(**(known | changed)), surroundings("corp", clock=clock or FakeClock()))
