"""Why certificates are renewed, and that they are not: many changes at once, at CA programs, by the real program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dnsbroker import keys
from household import Household, credulous
from lab.pebble import Pebble
from lab.rig import Lab

ZONE = "example.test"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA with a second root."""
    with credulous(tmp_path_factory.mktemp("ca"), environment={"PEBBLE_ALTERNATE_ROOTS": "1"}) as running:
        yield running


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Another one."""
    with credulous(tmp_path_factory.mktemp("other"), port=14511) as running:
        yield running


@pytest.fixture(scope="module")
def house(running_lab: Lab, ca: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Household:
    """One home for all tests in here, in their order."""
    running_lab.clean()
    return Household(running_lab, tmp_path_factory.mktemp("due") / "home", ca)


#: Where a second CA is asked for the same names at once, what the first was told has to be short-lived.
BRIEF: dict[str, object] = {
    "providers": {"powerdns": {"ttl": "1s"}},
    "propagation": {"require": "all-reachable", "settle": "0s"},
}


def account(ca: Pebble) -> dict[str, object]:
    """A table of an account at ``ca``."""
    return {"directory": ca.url, "ca_bundle": str(ca.ca_file), "agree_tos": True}


def certificates(**changes: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The tables of all certificates, some with other keys than in the beginning."""
    first: dict[str, dict[str, object]] = {name: {"names": [f"{name}.{ZONE}", f"www.{name}.{ZONE}"]} for name in KINDS}
    first["moving"] = {**first["moving"], "account": "moving"}
    return {name: {**table, **changes.get(name, {})} for name, table in first.items()}


KINDS = ("same", "more", "fewer", "reordered", "kind", "owner", "moving", "rooted", "rootless", "offered", "wanted")


def outcomes(result: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Status and reason of each certificate."""
    return {item["name"]: (item["status"], item["reason"]) for item in result["certificates"]}


def test_each_change_is_a_reason_once(house: Household, ca: Pebble, other_ca: Pebble) -> None:
    """Names, kind of key, account, directory, chain, profile; what is as it was stays, and so does all after it."""
    accounts = {"moving": account(ca), "second": account(ca)}
    house.says(overrides={**BRIEF, "accounts": accounts, "certificates": certificates()})
    assert {*outcomes(house("--json", "issue").succeeded().result).values()} == {("issued", "not there")}
    assert {status for status, _ in outcomes(house("--json", "renew").succeeded().result).values()} == {"kept"}

    default = keys.top_issuer(house.pem("rooted"))
    roots = {keys.describe(ca.root(number)).issuer for number in range(2)}
    (alternate,) = roots - {default}
    changed = certificates(
        more={"names": [f"{name}more.{ZONE}" for name in ("", "www.", "new.")]},
        fewer={"names": [f"fewer.{ZONE}"]},
        reordered={"names": [f"www.reordered.{ZONE}", f"reordered.{ZONE}"]},
        kind={"key_type": "rsa2048"},
        owner={"account": "second"},
        rooted={"preferred_chain": alternate},
        rootless={"preferred_chain": "nobody's root"},
        offered={"preferred_profile": "shortlived"},
        wanted={"profile": "shortlived"},
    )
    accounts["moving"] = account(other_ca)
    house.says(overrides={**BRIEF, "accounts": accounts, "certificates": changed})
    ran = house("--json", "renew").failed(1)
    told = outcomes(ran.result)
    reasons = {name: reason for name, (status, reason) in told.items() if status == "issued"}
    assert reasons == {
        "more": f"names changed: +new.more.{ZONE}",
        "fewer": f"names changed: -www.fewer.{ZONE}",
        "kind": "key_type changed: ecdsa-p256 to rsa2048",
        "owner": "account changed: default to second",
        "moving": f"directory changed: {ca.url} to {other_ca.url}",
        "rooted": f"preferred_chain changed: the default to {alternate}",
        "rootless": "preferred_chain changed: the default to nobody's root",
        "offered": "profile changed: the default to shortlived",
    }
    assert (told["same"][0], told["reordered"][0]) == ("kept", "kept")
    assert told["wanted"] == ("failed", "the CA offers no profile 'shortlived'")
    warnings = {item["certificate"]: (item["message"], item["hint"]) for item in ran.named("warning")}
    assert warnings["rootless"][0] == "the CA has no chain from nobody's root"
    assert all(root in warnings["rootless"][1] for root in roots)
    assert "without it" in warnings["offered"][0]

    assert keys.top_issuer(house.pem("rooted")) == alternate
    assert keys.top_issuer(house.pem("rootless")) in roots
    assert {name for name in KINDS if house.key_type(name) == "rsa2048"} == {"kind"}
    assert house.account("moving")["directory"] == other_ca.url

    again = outcomes(house("--json", "renew").succeeded().result)
    assert again.pop("wanted")[0] == "postponed"
    assert {status for status, _ in again.values()} == {"kept"}


def test_a_reason_is_told_to_a_person_as_well(house: Household) -> None:
    """By force, too; and a plan says it without doing it."""
    house.says({"same": [f"same.{ZONE}"]})
    before = house.serial("same")
    assert f"names changed: -www.same.{ZONE}" in house("renew", "--dry-run").succeeded().stdout
    assert house.serial("same") == before
    assert f"names changed: -www.same.{ZONE}" in house("renew").succeeded().stdout
    assert "same: kept" in house("renew").succeeded().stdout
    assert "asked for" in house("renew", "--force").succeeded().stdout
    assert before != house.serial("same")


def test_a_name_added_and_taken_out_again_is_no_reason(house: Household) -> None:
    """Nor is how it is written."""
    house.says({"same": ["SAME.Example.TEST."]})
    assert "kept" in house("renew").succeeded().stdout


def test_what_is_as_it_should_be_needs_nobody(house: Household, ca: Pebble, other_ca: Pebble) -> None:
    """Every CA down, and the resolver as well: nothing is asked, all is kept; only what is new fails."""
    table = {"same": [f"same.{ZONE}"]}
    house.says(table, {"dns": {"resolvers": ["127.0.0.39"]}, "propagation": {"timeout": "2s"}})
    ca.freeze()
    other_ca.freeze()
    try:
        assert "kept" in house("renew").succeeded().stdout
        assert "kept" in house("renew", "--dry-run").succeeded().stdout
    finally:
        ca.thaw()
        other_ca.thaw()
