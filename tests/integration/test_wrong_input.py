"""What a person gets who has something wrong: one line that says what, one that says what to do, and a clean zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.misbehaving import Behaviour
from lab.pebble import Pebble
from lab.rig import Lab
from lab.topology import PLACES, RESOLVER
from program import Program

Configured = Callable[..., Program]
Overrides = Mapping[str, object]

CERTIFICATES = {"bind.test": ["bind.test", "*.bind.test"], "example.test": ["example.test"]}
CHALLENGES = ("_acme-challenge.bind.test", "_acme-challenge.example.test")


@dataclass(frozen=True)
class Wrong:
    """One mistake in the configuration, the certificate that meets it, and what is said (regular expressions)."""

    certificate: str
    status: int
    kind: str
    error: str
    hint: str
    overrides: Overrides = field(default_factory=dict)


MISTAKES = {
    "unknown key": Wrong(
        "bind.test",
        2,
        "config",
        r"/dnsbroker\.toml: \[acme\] agree: unknown key; the nearest known key is agree_tos$",
        "^known here: ",
        {"acme": {"agree": True}},
    ),
    "unknown key of a provider": Wrong(
        "bind.test",
        2,
        "config",
        r"/dnsbroker\.toml: \[providers\.bind\] tsig_nam: unknown key; the nearest known key is tsig_name$",
        "^known here: ",
        {"providers": {"bind": {"tsig_nam": "x"}}},
    ),
    "unknown key of a certificate": Wrong(
        "bind.test",
        2,
        "config",
        r"\[certificates\.\"bind\.test\"\] key_typ: unknown key; the nearest known key is key_type$",
        "^known here: ",
        {"certificates": {"bind.test": {"key_typ": "x"}}},
    ),
    "no such certificate": Wrong(
        "nothing.test",
        2,
        "config",
        "no certificate 'nothing.test' is configured$",
        "^configured: bind.test, example.test",
    ),
    "terms not agreed to": Wrong(
        "bind.test", 2, "config", "terms of service$", "agree_tos = true", {"acme": {"agree_tos": False}}
    ),
    "directory unreachable": Wrong(
        "bind.test",
        1,
        "directory",
        r"^the CA's directory https://localhost:1/dir cannot be read: connection refused$",
        r"acme\.directory",
        {"acme": {"directory": "https://localhost:1/dir"}},
    ),
    "directory not trusted": Wrong(
        "bind.test", 1, "directory", "its certificate is not trusted", r"acme\.ca_bundle", {"acme": {"ca_bundle": None}}
    ),
    "wrong API key": Wrong(
        "example.test",
        1,
        "auth",
        r"^provider powerdns: http://127\.0\.0\.11:8081 answered 401",
        "api-key in the server's pdns.conf$",
        {"providers": {"powerdns": {"api_key": "wrong"}}},
    ),
    "API not there": Wrong(
        "example.test",
        1,
        "unavailable",
        r"^provider powerdns: http://127\.0\.0\.11:1 cannot be reached: connection refused$",
        "api=yes",
        {"providers": {"powerdns": {"url": "http://127.0.0.11:1"}}},
    ),
    "wrong TSIG secret": Wrong(
        "bind.test",
        1,
        "auth",
        r"^provider bind: 127\.0\.0\.21 finds that the signature with key acme-key\. is wrong \(BADSIG\)$",
        "compare tsig_secret",
        {"providers": {"bind": {"tsig_secret": "d3Jvbmc="}}},
    ),
    "wrong TSIG key": Wrong(
        "bind.test",
        1,
        "auth",
        r"^provider bind: 127\.0\.0\.21 does not know key other-key\.",
        "tsig_name",
        {"providers": {"bind": {"tsig_name": "other-key."}}},
    ),
    "zone of nobody": Wrong(
        "strange",
        1,
        "no-provider",
        r"^_acme-challenge\.www\.strange\.test stands in zone test, which no configured provider holds$",
        "configure a provider for test ",
        {"certificates": {"strange": {"names": ["www.strange.test"]}}},
    ),
    "no zone at all": Wrong(
        "strange",
        1,
        "lookup",
        r"^_acme-challenge\.www\.strange\.example is in no zone below the root$",
        r"dns\.servers",
        {"certificates": {"strange": {"names": ["www.strange.example"]}}},
    ),
    "no resolver": Wrong(
        "bind.test", 1, "lookup", r"127\.0\.0\.99", r"dns\.resolvers", {"dns": {"resolvers": ["127.0.0.99"]}}
    ),
}


def serials(lab: Lab) -> dict[str, int | None]:
    """What the primaries serve."""
    return {zone: lab.serial(domain.primary, zone) for zone, domain in lab.domains.items()}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_with_a_hint(lab: Lab, program: Configured, mistake: str) -> None:
    """With the right status, and no zone has moved; with status 2 nobody was asked anything."""
    wrong = MISTAKES[mistake]
    before = serials(lab)
    dnsbroker = program(CERTIFICATES, wrong.overrides)
    result = dnsbroker("--json", "issue", wrong.certificate).failed(wrong.status).result
    told = result["error"]
    assert (result["status"], result["changed"], told["kind"]) == (wrong.status, False, wrong.kind)
    assert re.search(wrong.error, told["message"]), told["message"]
    assert re.search(wrong.hint, told["hint"]), told["hint"]
    for text in (told["message"], told["hint"]):
        assert "\n" not in text
        assert not text.endswith(".")
    assert serials(lab) == before
    if wrong.status == 2:
        assert not lab.unbound.queries()
        assert not dnsbroker.live(wrong.certificate).exists()


@pytest.mark.parametrize("told_by", ["--config", "$DNSBROKER_CONFIG"])
def test_no_configuration(lab: Lab, tmp_path: Path, told_by: str) -> None:
    """The path that was looked at, and who named it."""
    missing = tmp_path / "missing.toml"
    dnsbroker = Program(missing if told_by.startswith("$") else tmp_path / "other.toml")
    options = ["--config", str(missing)] if told_by.startswith("-") else []
    error, hint = dnsbroker("renew", *options).failed(2).error
    assert str(missing) in error
    assert told_by in error
    assert "config example" in hint


@pytest.mark.parametrize(("mode", "status"), [(0o644, 2), (0o640, 2), (0o600, 0)])
def test_a_secret_that_others_can_read(lab: Lab, program: Configured, tmp_path: Path, mode: int, status: int) -> None:
    """Refused with the command that mends it, before the CA hears of us; the owner's own is taken."""
    secret = tmp_path / "secret"
    secret.write_text(lab.powerdns.api_key)
    secret.chmod(mode)
    dnsbroker = program(CERTIFICATES, {"providers": {"powerdns": {"api_key": {"file": str(secret)}}}})
    ran = dnsbroker("issue", "example.test")
    assert ran.status == status
    if status:
        error, hint = ran.error
        assert f"[providers.powerdns] api_key: secret file {secret} can be read by" in error
        assert hint.startswith(f"chmod 600 {secret}")
        assert "account" not in ran.stderr
        assert not lab.leftovers(CHALLENGES[1])


# The CA says no


@pytest.fixture
def other_ca(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Overrides]]:
    """Start one more CA; gives back the configuration's part that goes there."""
    started: list[Pebble] = []

    def start(**settings: Any) -> Overrides:
        chosen = {"resolver": f"{RESOLVER}:53", "port": 14001, "management_port": 15001, "name": "other", **settings}
        ca = Pebble(tmp_path / "ca", **chosen)
        started.append(ca)
        ca.__enter__()
        return {"directory": ca.url, "ca_bundle": str(ca.ca_file)}

    yield start
    for ca in started:
        ca.stop()


def test_a_name_that_the_ca_refuses_fails_alone(
    lab: Lab, program: Configured, other_ca: Callable[..., Overrides]
) -> None:
    """The CA's own words reach the user, and the other certificate is there."""
    acme = other_ca(configuration={"domainBlocklist": ["example.test"]})
    dnsbroker = program(CERTIFICATES, {"acme": acme})
    ran = dnsbroker("renew").failed(1)
    error, _ = ran.error
    assert error.startswith("example.test: localhost:14001 ")
    assert "rejectedIdentifier" in error
    assert "bind.test: issued" in ran.stdout
    for name in CHALLENGES:
        lab.await_values(name, [])


def test_a_failed_validation_is_told_in_the_cas_words(
    lab: Lab, program: Configured, other_ca: Callable[..., Overrides]
) -> None:
    """A CA that asks the wrong server does not see our value; it goes all the same."""
    acme = other_ca(resolver=f"{PLACES['root'].address}:53")
    dnsbroker = program(CERTIFICATES, {"acme": acme, "propagation": {"timeout": "8s"}})
    ran = dnsbroker("--json", "issue", "bind.test").failed(1)
    assert ran.named("propagated")
    error = ran.result["error"]
    assert error["kind"] == "order"
    assert error["detail"] in error["message"]
    assert error["identifier"] in CERTIFICATES["bind.test"]
    assert "_acme-challenge.bind.test" in error["hint"]
    lab.await_values(CHALLENGES[0], [])


def test_a_ca_that_waited_in_vain_is_asked_once_more(
    lab: Lab, program: Configured, other_ca: Callable[..., Overrides]
) -> None:
    """Its resolver may have tried a dead server first; the second refusal is final, and its words reach the user."""
    lab.misbehaving.behave(Behaviour(silent=True))
    acme = other_ca(resolver=f"{PLACES['misbehaving'].address}:53")
    dnsbroker = program(CERTIFICATES, {"acme": acme, "providers": {"powerdns": {"ttl": "1s"}}})
    ran = dnsbroker("--json", "issue", "example.test").failed(1)
    assert len(ran.named("order")) == len(ran.named("asked")) == 2
    assert "timeout" in ran.result["error"]["message"]
    assert ran.named("warning")[-1]["hint"].endswith("it is asked once more")
    lab.await_values(CHALLENGES[1], [])
