"""The demonstration's fifth act: one certificate whose names lie in zones at three services, one of them delegated.

Rule: Cloudflare is a stand-in, and the page says so; where each record stood and when is seen at every name server.
Refused: the real Cloudflare.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cloudflare.delegated import Delegated
from cloudflare.nameserver import HOSTS
from lab.configuration import to_toml
from lab.demo.acts import Stage, openssl, time_of
from lab.observer import Observer
from lab.processes import LabError, look_until

CERTIFICATE = "everywhere"
ZONE = "cloud.test"
DELAY = 0.3
"""Seconds until Cloudflare's name servers have what its API has."""

INTERVAL = 0.03
"""Seconds between two looks at a server: there are many to look at."""


@dataclass(frozen=True)
class Proof:
    """A challenge: for which names, at which owner name its record stands, and at which service."""

    names: tuple[str, ...]
    challenge: str
    owner: str
    service: str


PROOFS = [
    Proof(("cloud.test", "*.cloud.test"), "_acme-challenge.cloud.test", "_acme-challenge.cloud.test", "Cloudflare"),
    Proof(("www.example.test",), "_acme-challenge.www.example.test", "_acme-challenge.www.example.test", "PowerDNS"),
    Proof(("www.bind.test",), "_acme-challenge.www.bind.test", "_acme-challenge.www.bind.test", "BIND"),
    Proof(("cname.example.test",), "_acme-challenge.cname.example.test", "_acme-challenge.cname.bind.test", "BIND"),
]
"""The last one's zone is at PowerDNS, where a CNAME leads to a zone at BIND."""


@dataclass(frozen=True)
class Seen:
    """A run: its status, and for each proof when all servers had its values, and when none had any more.

    ``asked``: when the CA asked for the first of them. All in seconds since the start.
    """

    status: int
    there: Mapping[Proof, float | None]
    gone: Mapping[Proof, float | None]
    asked: float | None


def all_three(stage: Stage, cloudflare: Delegated) -> None:
    """Get the certificate, and look at every server of every zone."""
    page = stage.page
    page.section("5. Three services in one certificate")
    page.text(
        f"""The third service is Cloudflare. It is a stand-in: a server on this machine that follows the published
        description of Cloudflare's API, and holds each request and each reply against it. Its name servers have a
        change {DELAY:g} s later. One certificate has names in zones at all three services. One of them proves itself at
        another service than its own zone's: a CNAME, put there once, delegates its challenge name."""
    )
    cloudflare.delay = DELAY
    cloudflare.delegate(ZONE)
    _introduce(stage)
    stage.add(_configured(stage, cloudflare))
    seen = _watched(stage)
    _moments(stage, seen)
    page.text(
        """Each zone was written once, by whom holds it. An address of Cloudflare's is many machines: after its name
        servers agree, 3 s more are waited, as with the real one."""
    )
    _judge(stage, seen)
    judge_cloudflare(stage, cloudflare)


def _introduce(stage: Stage) -> None:
    rows = [["name", "its challenge name", "leads to a record at", "service"]]
    for proof in PROOFS:
        leads_to = "itself" if proof.owner == proof.challenge else proof.owner
        rows.append([", ".join(proof.names), proof.challenge, leads_to, proof.service])
    stage.page.table(rows)


def _configured(stage: Stage, cloudflare: Delegated) -> str:
    """What is added to the configuration; the token stands in a file of its own."""
    token = stage.directory / "cloudflare.token"
    token.touch(mode=0o600)
    token.write_text(cloudflare.add_token().secret)
    provider = cloudflare.provider() | {"api_token": {"file": str(token)}}
    return to_toml({"providers": {"cloudflare": provider}, "certificates": {CERTIFICATE: {"names": _names()}}})


def _names() -> list[str]:
    return [name for proof in PROOFS for name in proof.names]


def _observer(stage: Stage, proof: Proof) -> Observer:
    """At each address of each name server of the zone in which the record is to stand."""
    if proof.service == "Cloudflare":
        addresses = [address for published in HOSTS.values() for address in published]
    else:
        published = stage.lab.domain_of(proof.owner).servers.values()
        addresses = [address for of_one in published for address in of_one]
    return Observer(proof.owner, {address: address for address in addresses}, interval=INTERVAL)


def _watched(stage: Stage) -> Seen:
    unbound, pebble = stage.lab.unbound, stage.lab.pebble
    unbound.forget_queries()
    with contextlib.ExitStack() as opened:
        observers = {proof: opened.enter_context(_observer(stage, proof)) for proof in PROOFS}
        began = time.monotonic()
        status = stage.run("issue", CERTIFICATE).returncode
        with contextlib.suppress(LabError):
            look_until(lambda: all(map(_is_without, observers.values())), "no server has a record any more")
    asked = [
        query.at for proof in PROOFS for query in unbound.queries(proof.challenge) if query.client == pebble.address
    ]
    return Seen(
        status,
        there={proof: _since(began, _there(proof, observer)) for proof, observer in observers.items()},
        gone={proof: _since(began, _gone(observer)) for proof, observer in observers.items()},
        asked=_since(began, min(asked, default=None)),
    )


def _there(proof: Proof, observer: Observer) -> float | None:
    return observer.everywhere(lambda values: len(values) == len(proof.names))


def _is_without(observer: Observer) -> bool:
    """Whether no server has anything at this moment."""
    return all(sightings and not sightings[-1].values for sightings in observer.history.values())


def _gone(observer: Observer) -> float | None:
    """When the last server had nothing any more; None if one still has, or one never had."""
    had_all = all(len(sightings) > 1 for sightings in observer.history.values())
    is_over = had_all and _is_without(observer)
    return max(sightings[-1].at for sightings in observer.history.values()) if is_over else None


def _since(began: float, moment: float | None) -> float | None:
    return None if moment is None else moment - began


def _moments(stage: Stage, seen: Seen) -> None:
    rows = [["seconds since the start", "service", "every server has it", "none has it"]]
    for proof in PROOFS:
        rows.append([proof.owner, proof.service, time_of(seen.there[proof]), time_of(seen.gone[proof])])
    rows.append(["the CA asks for the first of them", "", time_of(seen.asked), ""])
    stage.page.table(rows)


def _judge(stage: Stage, seen: Seen) -> None:
    page, live = stage.page, stage.state / "live" / CERTIFICATE
    page.claim(seen.status == 0, "it ended with status 0", seen.status)
    there = [moment for moment in seen.there.values() if moment is not None]
    are_everywhere = bool(seen.asked and len(there) == len(PROOFS) and max(there) <= seen.asked)
    page.claim(are_everywhere, "every server of every zone had its values before the CA asked for the first")
    page.claim(None not in seen.gone.values(), "no server at any of the three services has one of them any more")
    if seen.status == 0:
        shown = openssl(live, "x509", "-in", "cert.pem", "-noout", "-ext", "subjectAltName")
        found = {name.strip(" ,\n") for name in shown.split("DNS:")[1:]}
        page.claim(found == set(_names()), "one certificate has all the names", found)


def judge_cloudflare(stage: Stage, cloudflare: Delegated) -> None:
    """What it was asked to change, and whether all of it was as its description has it."""
    page = stage.page
    changes = [(seen.method, seen.path.rpartition("/")[2]) for seen in cloudflare.changing]
    page.claim(
        changes == [("POST", "batch")] * 2, "Cloudflare was sent one batch to write, and one to withdraw", changes
    )
    violations = cloudflare.forgive()
    page.claim(not violations, "and every request and reply was as its description has it", violations)
