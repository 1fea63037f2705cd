"""Certificates taken back, put aside and rehearsed, by the real program at CA programs."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsbroker import keys
from dnsbroker.revoking import REASONS
from household import Household, credulous
from lab.pebble import Pebble
from lab.rig import Lab

ZONE = "example.test"
MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@pytest.fixture(scope="module")
def place(running_lab: Lab) -> Lab:
    """The lab as at its start, once for all tests in here."""
    running_lab.clean()
    return running_lab


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA for everybody."""
    with credulous(tmp_path_factory.mktemp("ca")) as running:
        yield running


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Another CA, which opens an account only for whom it knows."""
    with credulous(tmp_path_factory.mktemp("staging"), port=14511, mac_keys={"kid-1": MAC}) as running:
        yield running


@pytest.fixture(scope="module")
def binding_ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """The CA whose staging that is."""
    with credulous(tmp_path_factory.mktemp("binding"), port=14512, mac_keys={"kid-1": MAC}) as running:
        yield running


@pytest.fixture(scope="module")
def house(place: Lab, ca: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Household:
    """One home for all tests in here; each has certificates of its own."""
    return Household(place, tmp_path_factory.mktemp("revoking") / "home", ca)


def says(house: Household, *names: str, **more: object) -> None:
    """Configure and obtain certificates of these names."""
    house.says(overrides={"certificates": {name: {"names": [f"{name}.{ZONE}"], **more} for name in names}})
    house("issue").succeeded()


def state(ca: Pebble, serial: int) -> tuple[object, object]:
    """What the CA says of a certificate: its state, and the reason's code."""
    told = ca.status(serial)
    return told["Status"], told.get("Reason", 0)


def test_each_reason_reaches_the_ca_and_the_next_renew_gets_a_new_one(house: Household, ca: Pebble) -> None:
    """Revoking twice is no error; a reason that nobody knows is one."""
    names = [f"for-{reason}" for reason in REASONS]
    says(house, *names, key_rotation="never")
    serials = {name: house.serial(name) for name in names}
    before = {name: house.key_of(name) for name in names}
    for reason, code in REASONS.items():
        house("revoke", f"for-{reason}", "--reason", reason).succeeded()
        assert state(ca, serials[f"for-{reason}"]) == ("Revoked", code)
    assert "had been revoked before" in house("revoke", names[0]).succeeded().stdout
    error, hint = house("revoke", names[0], "--reason", "boredom").failed(2).error
    assert "boredom" in error and all(reason in hint for reason in REASONS)
    renewed = house("--json", "renew").succeeded().result["certificates"]
    assert {item["status"] for item in renewed} == {"issued"}
    assert all("revoked" in item["reason"] for item in renewed)
    # Whoever takes a certificate back may have a reason that concerns its key.
    assert not [name for name in names if house.key_of(name) == before[name]]


def test_one_that_is_not_live_is_named_by_its_number_or_file(house: Household, ca: Pebble, tmp_path: Path) -> None:
    """As tools print numbers: capitals, colons, a leading zero. The live one stays, and stays valid."""
    says(house, "past")
    first = house.serial("past")
    kept = tmp_path / "kept.pem"
    kept.write_text(house.pem("past"))
    house("renew", "--force", "past").succeeded()
    second = house.serial("past")
    house("renew", "--force", "past").succeeded()
    text = f"0{second:X}" if len(f"{second:X}") % 2 else f"00{second:X}"
    house("revoke", "past", "--serial", ":".join(text[at : at + 2] for at in range(0, len(text), 2))).succeeded()
    house("revoke", "past", "--cert", kept, "--reason", "superseded").succeeded()
    assert [state(ca, serial) for serial in (first, second)] == [("Revoked", 4), ("Revoked", 0)]
    assert state(ca, house.serial("past"))[0] == "Valid"
    assert "kept" in house("renew", "past").succeeded().stdout
    for words, arguments in (
        ("00ff", ["past", "--serial", "00ff"]),
        ("cannot be read", ["past", "--cert", tmp_path / "none.pem"]),
    ):
        error, hint = house("revoke", *arguments).failed(2).error
        assert words in error and hint


def test_without_its_account_the_certificates_own_key_asks(house: Household, ca: Pebble, tmp_path: Path) -> None:
    """Live, or from a file that the archive knows; nothing is registered for it. Without a key, words."""
    says(house, "orphan", "stranger")
    kept = tmp_path / "kept.pem"
    kept.write_text(house.pem("stranger"))
    serials = [house.serial(name) for name in ("orphan", "stranger")]
    accounts = house.state / "accounts"
    aside = accounts.rename(house.state / "accounts-aside")
    try:
        house("revoke", "orphan").succeeded()
        house("revoke", "stranger", "--cert", kept).succeeded()
        assert [state(ca, serial)[0] for serial in serials] == ["Revoked", "Revoked"]
        assert not list(accounts.glob("*/account.json"))
        house("revoke", "nobody", "--cert", kept).failed(1)
    finally:
        shutil.rmtree(accounts, ignore_errors=True)
        aside.rename(accounts)


def test_it_goes_to_the_ca_that_issued_it(house: Household, ca: Pebble, staging: Pebble) -> None:
    """Although another one, or another account, is configured by now; what is kept of the accounts stays."""
    says(house, "elsewhere")
    serial, kept = house.serial("elsewhere"), house.account()
    acme = {"directory": staging.url}
    bundle = house.configuration.with_name("both.pem")
    bundle.write_text(ca.ca_file.read_text() + staging.ca_file.read_text())
    house.says({"elsewhere": [f"elsewhere.{ZONE}"]}, {"acme": {**acme, "ca_bundle": str(bundle)}})
    house("revoke", "elsewhere").succeeded()
    assert state(ca, serial)[0] == "Revoked"
    assert house.account() == kept


def test_a_compromised_key_is_never_used_again(house: Household, tmp_path: Path) -> None:
    """Not when keys never rotate, not by another certificate, nor brought by a file or a request."""
    says(house, "lost", key_rotation="never")
    file = tmp_path / "lost.key"
    file.write_text(house.pem("lost", "privkey"))
    key = house.key_of("lost")
    house("revoke", "lost", "--reason", "KeyCompromise").succeeded()
    for arguments in (["lost", "--force"], ["-d", f"new.{ZONE}"]):
        error, hint = house("issue", *arguments, "--key", file).failed(2).error
        assert "compromised" in error and "make another" in hint
    request = tmp_path / "lost.csr"
    request.write_bytes(keys.csr(file.read_text(), [f"new.{ZONE}"]))
    assert "compromised" in house("issue", "--csr", request).failed(2).error[0]
    house("renew", "lost").succeeded()
    assert house.key_of("lost") != key
    renewed = house.key_of("lost")
    house("renew", "--force", "lost").succeeded()
    assert house.key_of("lost") == renewed


def test_a_replacement_is_there_before_the_old_one_goes(house: Household, ca: Pebble, tmp_path: Path) -> None:
    """Its hook sees the old one still valid; where there can be no new one, the old one is not revoked."""
    log = tmp_path / "log"
    says(house, "replaced", deploy_hooks=[f'basename "$(readlink "$RENEWED_LINEAGE/current")" >> {log}'])
    old = house.serial("replaced")
    ran = house("--json", "revoke", "replaced", "--replace", "--reason", "keycompromise").succeeded()
    new = house.serial("replaced")
    assert log.read_text().split() == [f"{old:x}", f"{new:x}"]
    told = [item["event"] for item in ran.events if item["event"] in ("issued", "revoked")]
    assert told == ["issued", "revoked"]
    assert [state(ca, serial)[0] for serial in (old, new)] == ["Revoked", "Valid"]
    assert ran.result["certificates"][0]["serial"] == f"{new:x}" and ran.result["serial"] == f"{old:x}"
    assert "kept" in house("renew", "replaced").succeeded().stdout

    table = {"names": [f"replaced.{ZONE}"], "deploy_hooks": ["exit 9"]}
    house.says(overrides={"certificates": {"replaced": table}})
    assert f"revoke replaced --serial {new:x}" in house("revoke", "replaced", "--replace").failed(7).error[1]
    house.says(overrides={"certificates": {"replaced": {"names": [f"replaced.{ZONE}", "host.nowhere.example"]}}})
    house("revoke", "replaced", "--replace").failed(1)
    assert state(ca, new)[0] == "Valid"
    house.says({"replaced": [f"replaced.{ZONE}"]})
    house("renew").succeeded()
    with (house.state / "locks" / "certificate-replaced").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is not replaced: another dnsbroker" in house("revoke", "replaced", "--replace").failed(1).error[0]
    house("revoke", "replaced", "--serial", f"{new:X}").succeeded()
    assert state(ca, new)[0] == "Revoked"


def test_what_is_deleted_is_out_of_the_way_and_kept_for_a_time(house: Household) -> None:
    """A remembered one goes; one that is configured, unknown or in another run's hands stays."""
    says(house, "configured")
    house("issue", "-d", f"passing.{ZONE}").succeeded()
    name = f"passing.{ZONE}"
    assert "configured" in house("delete", "configured").failed(2).error[0]
    assert "no certificate" in house("delete", "unheard.of").failed(2).error[0]
    with (house.state / "locks" / f"certificate-{name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another dnsbroker" in house("delete", name).failed(1).error[0]
    key = house.pem(name, "privkey")
    place = Path(house("--json", "delete", name).succeeded().result["path"])
    assert place.is_relative_to(house.state / "deleted")
    assert key in [file.read_text() for file in place.rglob("privkey.pem")]
    assert not [path for path in house.files("deleted/", "locks/") if name in path]
    said = house("renew").succeeded().stdout
    assert name not in said and "configured: kept" in said
    assert place.is_dir()
    old = place.rename(place.with_name(f"{name}.20200101T000000Z"))
    house("renew").succeeded()
    assert not old.exists()
    assert "issued" in house("issue", "-d", name).succeeded().stdout


def rehearsing(ca: Pebble, staging: Pebble, directory: Path) -> dict[str, Any]:
    """The configuration's part for rehearsals at a CA that binds accounts."""
    bundle, secret = directory / "both.pem", directory / "eab.key"
    bundle.write_text(ca.ca_file.read_text() + staging.ca_file.read_text())
    secret.touch(mode=0o600)
    secret.write_text(MAC)
    bound = {"eab_kid": "kid-1", "eab_hmac_key": {"file": str(secret)}}
    # The same names are asked for again and again.
    brief = {"providers": {"powerdns": {"ttl": "1s"}}, "propagation": {"require": "all-reachable", "settle": "0s"}}
    return {**brief, "acme": {"staging": staging.url, "ca_bundle": str(bundle), **bound}}


def test_a_rehearsal_writes_to_dns_and_keeps_nothing(
    place: Lab, binding_ca: Pebble, staging: Pebble, tmp_path: Path
) -> None:
    """Before there is anything, and beside what is live; no hook runs; an account that has to be bound is."""
    fresh = Household(place, tmp_path / "home", binding_ca)
    hook = tmp_path / "hook"
    hooks = {kind: [f"touch {hook}"] for kind in ("pre_hooks", "deploy_hooks", "post_hooks")}
    table = {"certificates": {"stage": {"names": [f"stage.{ZONE}", f"*.stage.{ZONE}"], **hooks}}}
    fresh.says(overrides={**rehearsing(binding_ca, staging, tmp_path), **table})
    history = ("state.db", "locks/", "runs/")
    for is_issued in (False, True):
        if is_issued:
            fresh("issue").succeeded()
            hook.unlink()
        before = fresh.files(*history) if fresh.state.exists() else {}
        ran = fresh("--json", "issue", "stage", "--rehearse").succeeded()
        assert (ran.result["certificates"][0]["status"], ran.result["changed"]) == ("rehearsed", False)
        assert [item["names"] for item in ran.named("written")] == [[f"_acme-challenge.stage.{ZONE}."]]
        assert ran.named("withdrawn")
        assert fresh.files(*history) == before
        assert not hook.exists()
    place.await_values(f"_acme-challenge.stage.{ZONE}", [])


def test_fail_a_rehearsal_where_no_staging_directory_is_known(house: Household) -> None:
    """Nor is one an excuse not to agree to the terms."""
    error, hint = house.says({"bare": [f"bare.{ZONE}"]})("issue", "--rehearse").failed(2).error
    assert "staging" in error + hint
    house("issue", "--rehearse", "--dry-run").failed(2)
