"""The HTTP API of PowerDNS as literal replies, for versions and faults that cannot be installed here.

Rule: each reply is what a server of that version was seen, or read in its source, to say; nothing is computed, but the
5.1 that undoes escapes (``Unescaping``). ``Literal`` keeps every request; a reply list's last entry repeats.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dnsbroker.records import Add, Change, Receipt, Record
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from loopback import LoopbackServer, Request, Response

BASE = "/api/v1/servers/localhost"
NAME = "_acme-challenge.example.org."
ADD = Add(Record(NAME, "TXT", "ours"), 5)
JSON = (("Content-Type", "application/json"), ("Connection", "close"))
TEXT = (("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close"))

Told = Response | Callable[[Request], Response]


def told(document: object, status: int = 200) -> Response:
    """A JSON reply."""
    return Response(status, JSON, json.dumps(document).encode())


def text(status: int, body: str) -> Response:
    """A reply in plain text, as servers before 5.1 give it where JSON was not asked for in the one right way."""
    return Response(status, TEXT, body.encode())


def refused(*errors: str) -> Response:
    """A 422 with one error, or with several as 5.1 sends them."""
    rest = {"errors": list(errors)} if len(errors) > 1 else {}
    return told({"error": errors[0], **rest}, 422)


def done(new: int | None = None, old: int | None = None) -> Response:
    """The 204 of a PATCH; before 5.0 both serials are the new one."""
    serials = {"X-PDNS-Old-Serial": old if old is not None else new, "X-PDNS-New-Serial": new}
    return Response(204, tuple((name, str(value)) for name, value in serials.items() if value is not None))


CLOSED = Response(hang_up=True)
SILENT = Response(hang=True)


def rrset(*contents: str, name: str = NAME, type: str = "TXT", ttl: int = 60, **more: Any) -> dict[str, Any]:
    """An RRset as the API shows it."""
    records = [{"content": content, "disabled": False} for content in contents]
    return {"comments": [], "name": name, "records": records, "ttl": ttl, "type": type, **more}


def zone(*rrsets: Mapping[str, Any], serial: int = 10, **fields: Any) -> dict[str, Any]:
    """A zone as the API shows it; what moves is as it should be unless told otherwise."""
    return {
        "account": "",
        "api_rectify": False,
        "catalog": "",
        "dnssec": False,
        "edited_serial": serial,
        "id": "example.org.",
        "kind": "Master",
        "last_check": 0,
        "master_tsig_key_ids": [],
        "masters": [],
        "name": "example.org.",
        "notified_serial": 10,
        "nsec3narrow": False,
        "nsec3param": "",
        "rrsets": list(rrsets),
        "serial": serial,
        "slave_tsig_key_ids": [],
        "soa_edit": "",
        "soa_edit_api": "INCREASE",
        "url": f"{BASE}/zones/example.org.",
        **fields,
    }


class Literal(LoopbackServer):
    """A PowerDNS that says what it is told to. ``replies`` are lists by kind of request, in order.

    Kinds: ``version``, ``config``, ``zones``, ``read``, ``patch``, ``put``, ``notify``, ``rectify``, ``metadata``.
    """

    def __init__(self, version: str = "4.7.3", zone_id: str = "example.org.", **replies: Sequence[Told]) -> None:
        super().__init__(self._answer)
        listed = {"id": zone_id, "name": "example.org.", "kind": "Master", "serial": 10}
        self.replies: dict[str, list[Told]] = {
            "version": [
                told({"type": "Server", "id": "localhost", "daemon_type": "authoritative", "version": version})
            ],
            "zones": [told([listed])],
            "put": [Response(204)],
            "notify": [told({"result": "Notification queued"})],
            "rectify": [told({"result": "Rectified"})],
            **{kind: list(told_) for kind, told_ in replies.items()},
        }

    def _answer(self, request: Request) -> Response:
        waiting = self.replies[kind(request)]
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return reply if isinstance(reply, Response) else reply(request)

    def asked(self, *kinds: str) -> list[str]:
        """Which kinds of requests came, in order; only those named, if any are."""
        found = [kind(request) for request in self.requests]
        return [name for name in found if name in kinds] if kinds else found

    def bodies(self, name: str) -> list[Any]:
        """The bodies of the requests of one kind."""
        return [json.loads(request.body) for request in self.requests if kind(request) == name]


def kind(request: Request) -> str:
    """What kind of request it is, as ``Literal`` names them."""
    path = request.target.partition("?")[0].removeprefix(BASE)
    fixed = {"": "version", "/config": "config", "/zones": "zones"}
    if path in fixed:
        return fixed[path]
    last = path.rsplit("/", 1)[1]
    if last in ("notify", "rectify", "metadata"):
        return last
    return {"GET": "read", "PATCH": "patch", "PUT": "put"}[request.method]


class Unescaping(Literal):
    """A 5.1 that undoes the escapes of each content before it reads it, as released up to 5.1.4; it keeps one RRset."""

    def __init__(self, *contents: str) -> None:
        super().__init__("5.1.4", read=[lambda _: told(self.document())], patch=[self._patched])
        self.contents = list(contents)
        self.serial = 10

    def document(self) -> dict[str, Any]:
        """The zone as it stands."""
        return zone(*([rrset(*self.contents)] if self.contents else []), serial=self.serial)

    def _patched(self, request: Request) -> Response:
        (operation,) = json.loads(request.body)["rrsets"]
        contents = [_unescaped(record["content"]) for record in operation.get("records", ())]
        for content in contents:
            if re.fullmatch(r'"(?:[^"\\]|\\.)*"', content) is None:
                return refused(f"Record {NAME}/TXT '{content}': Parsing record content: invalid escape")
        self.contents = contents
        self.serial += 1
        return done(self.serial, self.serial - 1)


def _unescaped(content: str) -> str:
    """What 5.1 makes of a quoted content: escapes undone, what is not printable escaped again, nothing else."""
    inner = re.sub(r"\\(\d{3}|.)", lambda found: chr(int(found[1])) if len(found[1]) == 3 else found[1], content[1:-1])
    return '"' + "".join(letter if " " <= letter <= "~" else f"\\{ord(letter) + 2**32 - 256}" for letter in inner) + '"'


def apply(
    server: Literal, *changes: Change, clock: FakeClock | None = None, times: int = 1, **settings: Any
) -> Receipt:
    """The receipt for the changes (default: adding our value), asked for ``times`` times."""

    async def play() -> Receipt:
        async with server:
            made = PowerDNSSettings(url=server.url, api_key=Secret("the test", lambda: "key"), **settings)
            provider = PowerDNS(made, surroundings("corp", clock=clock or FakeClock()))
            for _ in range(times - 1):
                await provider.apply("example.org.", changes or [ADD])
            receipt = await provider.apply("example.org.", changes or [ADD])
            await provider.aclose()
            return receipt

    return asyncio.run(play())


def written(**after: Any) -> Literal:
    """A server on which one write succeeds: an empty zone, then ours with ``after``."""
    start = {key: value for key, value in after.items() if key not in ("serial", "edited_serial")}
    return Literal(
        read=[told(zone(**start)), told(zone(rrset('"ours"'), **{"serial": 11, **after}))],
        patch=[done(11)],
    )
