"""What can be wrong with providers: whom the adapters of ours talk to, and what several of them hold."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import dns.rcode

import literal_powerdns
from cloudflare import NONE, Cloudflare, only
from dnsbroker.errors import AuthRejected
from dnsbroker.testing import MemoryProvider, MemoryService
from dnsbroker_cloudflare import Cloudflare as CloudflareAdapter
from dnsbroker_powerdns import PowerDNS
from dnsbroker_rfc2136 import RFC2136
from doctor_scenes.scene import ERROR, NOTICE, WARNING, Act, Scene
from literal_powerdns import Literal, rrset, told
from practice import ZONE, Practice, running
from scripted_updates import SECRET, Message, Scripted

_NAME = ZONE.rstrip(".")


def provided(practice: Practice, type: str, **keys: object) -> None:
    """That service is the only one configured."""
    practice.tables["providers"] = {"corp": {"type": type, **keys}}


# Of any kind


def two_copies(practice: Practice) -> None:
    """A second service holds the zone, too, and neither tells its servers."""
    second = {"type": "memory", "service": MemoryService(ZONE)}
    practice.tables["providers"] = {"memory": {"type": "memory", "service": practice.service}, "other": second}


def moved(practice: Practice) -> None:
    """The zone is delegated to others than this service's servers."""
    practice.service.serve(ZONE, "ns.elsewhere.test.")


class Refusing(MemoryProvider):
    """A service that knows the account no more."""

    async def find_zone(self, name: str) -> str | None:
        """Refuses."""
        raise AuthRejected("the key was refused", provider="memory", hint="make a new one")

    async def zones(self) -> tuple[str, ...] | None:
        """Refuses."""
        raise AuthRejected("the key was refused", provider="memory", hint="make a new one")


def refusing(practice: Practice) -> None:
    """The service does so from now on."""
    practice.adapters["memory"] = Refusing


# PowerDNS


def powerdns(practice: Practice) -> None:
    """A PowerDNS has the zone."""
    practice.adapters["powerdns"] = PowerDNS
    listed = {"id": ZONE, "name": ZONE, "kind": "Master", "serial": 1}
    server = Literal(zones=[told([listed])], read=[told(zone())], metadata=[told([])], config=[told(_SETTINGS)])
    practice.services["powerdns"] = server
    practice.open(running(server))
    provided(practice, "powerdns", url=server.url, api_key="nobody sees it", zones=[_NAME])


def zone(*rrsets: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The zone in the API."""
    return literal_powerdns.zone(*rrsets, **{"name": ZONE, "id": ZONE, "serial": 1, **fields})


def reading(*rrsets: dict[str, Any], **fields: Any) -> Act:
    """The zone has these RRsets and fields there."""
    return replying(read=told(zone(*rrsets, **fields)))


def replying(**replies: literal_powerdns.Told) -> Act:
    """The server answers these kinds of requests so."""

    def act(practice: Practice) -> None:
        for kind, reply in replies.items():
            practice.services["powerdns"].replies[kind] = [reply]

    return act


def untouched(practice: Practice) -> None:
    """The zone's SOA-EDIT-API is not to be set from here, and lets the serial stand."""
    practice.tables["providers"]["corp"]["soa_edit_api"] = False
    reading(soa_edit_api="")(practice)


def elsewhere(practice: Practice) -> None:
    """The provider is configured for a zone that the server lacks."""
    practice.tables["providers"]["corp"]["zones"] = [_NAME, "gone.test"]
    practice.services["powerdns"].replies["zones"] = [
        lambda request: told([] if "gone.test" in request.target else [{"id": ZONE, "name": ZONE, "serial": 1}])
    ]


_SETTINGS = [{"name": "default-api-rectify", "value": "no"}]
_SERVERS = rrset("ns1.example.test.", "ns2.example.test.", name=ZONE, type="NS")
_DISABLED = {
    **rrset(name=f"_acme-challenge.{ZONE}"),
    "records": [{"content": '"old"', "disabled": True}],
}
_PRESIGNED = [{"kind": "PRESIGNED", "metadata": ["1"]}]


# RFC 2136


def updates(practice: Practice) -> None:
    """A server takes updates of the zone, signed with our key."""
    practice.adapters["rfc2136"] = RFC2136
    practice.moment = datetime.now(UTC)
    text = "@ SOA ns1 hostmaster 1 3600 900 604800 60\n@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\n"
    server = practice.services["rfc2136"] = practice.open(Scripted(text, ZONE))
    secret = base64.b64encode(SECRET).decode()
    where = {"server": "127.0.0.1", "port": server.port}
    provided(practice, "rfc2136", **where, tsig_name="acme-key", tsig_secret=secret)


def answering(code: str) -> Act:
    """It answers every update so."""

    def bent(answer: Message) -> None:
        answer.set_rcode(dns.rcode.from_text(code))

    return lambda practice: setattr(practice.services["rfc2136"], "update", bent)


def narrow(practice: Practice) -> None:
    """The key may update the zone, but not the name that is tried."""
    server = practice.services["rfc2136"]

    def bent(answer: Message) -> None:
        if server.updates[-1].update:
            answer.set_rcode(dns.rcode.REFUSED)

    server.update = bent


def open_to_all(practice: Practice) -> None:
    """It asks nobody for a key."""
    practice.services["rfc2136"].takes_unsigned = True


def weak(practice: Practice) -> None:
    """The key uses MD5."""
    practice.services["rfc2136"].algorithm = "hmac-md5"
    practice.tables["providers"]["corp"]["tsig_algorithm"] = "hmac-md5"


# Cloudflare


def cloudflare(practice: Practice) -> None:
    """A Cloudflare has the zone, and we have a token for all of it."""
    practice.adapters["cloudflare"] = CloudflareAdapter
    practice.moment = datetime.now(UTC)
    service = practice.services["cloudflare"] = practice.open(Cloudflare())
    service.add_zone(_NAME, name_servers=("ns1.example.test", "ns2.example.test"))
    with_token()(practice)


def with_token(**rights: Any) -> Act:
    """Our token is one with these rights."""

    def act(practice: Practice) -> None:
        service = practice.services["cloudflare"]
        provided(practice, "cloudflare", base_url=service.url, api_token=service.add_token(**rights).secret)

    return act


def reading_only(practice: Practice) -> None:
    """The token may not write the zone."""
    with_token(dns_edit=NONE, dns_read=only(practice.services["cloudflare"].zones[0]))(practice)


def with_key(practice: Practice) -> None:
    """We have the global key of the account."""
    service = practice.services["cloudflare"]
    key = service.add_key()
    provided(practice, "cloudflare", base_url=service.url, api_email=key.email, api_key=key.key)


def there(**members: object) -> Act:
    """The zone is so at the service."""

    def act(practice: Practice) -> None:
        for name, value in members.items():
            setattr(practice.services["cloudflare"].zones[0], name, value)

    return act


def _after(days: float) -> str:
    moment = datetime.now(UTC) + timedelta(days=days)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


SERVICES = (
    Scene("ambiguous-provider", ERROR, two_copies),
    Scene("delegated-elsewhere", ERROR, moved),
    Scene("provider-fails", ERROR, refusing),
    Scene("auth", ERROR, replying(version=literal_powerdns.text(401, "Unauthorized")), powerdns),
    Scene("zone-missing", ERROR, elsewhere, powerdns),
    Scene("serial-stuck", WARNING, reading(soa_edit_api=""), powerdns),
    Scene("serial-stuck", ERROR, untouched, powerdns),
    Scene("read-only-zone", ERROR, reading(kind="Slave", masters=["192.0.2.1"]), powerdns),
    Scene("presigned-zone", ERROR, replying(read=told(zone(dnssec=True)), metadata=told(_PRESIGNED)), powerdns),
    Scene("unrectified", WARNING, reading(dnssec=True), powerdns),
    Scene("native-zone", NOTICE, reading(_SERVERS, kind="Native"), powerdns),
    Scene("disabled-record", NOTICE, reading(_DISABLED), powerdns),
    Scene("old-version", WARNING, replying(version=told({"version": "4.6.1"})), powerdns),
    Scene("not-primary", ERROR, answering("NOTAUTH"), updates),
    Scene("update-refused", ERROR, answering("REFUSED"), updates),
    Scene("update-refused", WARNING, narrow, updates),
    Scene("unsigned-updates", WARNING, open_to_all, updates),
    Scene("weak-key", WARNING, weak, updates),
    Scene("token-inactive", ERROR, with_token(status="disabled"), cloudflare),
    Scene("token-expires", WARNING, with_token(expires_on=_after(29)), cloudflare),
    Scene("no-edit-right", ERROR, reading_only, cloudflare),
    Scene("global-api-key", WARNING, with_key, cloudflare),
    Scene("zone-inactive", WARNING, there(status="moved"), cloudflare),
    Scene("zone-paused", NOTICE, there(paused=True), cloudflare),
)
