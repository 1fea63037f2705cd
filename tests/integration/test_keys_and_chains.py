"""Private keys and requests over renewals, names of every script, and the keys that TLSA records hold: all for real."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsbroker import keys
from household import Household, credulous
from lab.pebble import Pebble
from lab.processes import run
from lab.rig import Lab

ZONE = "example.test"
KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096")


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
def house(place: Lab, ca: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Household:
    """One home for all tests in here; each has certificates of its own."""
    return Household(place, tmp_path_factory.mktemp("keys") / "home", ca)


def written_key(directory: Path, key_type: str = "ecdsa-p256") -> Path:
    """A file with a new private key."""
    file = directory / f"{key_type}.key"
    file.write_text(keys.generate(key_type))
    return file


def requested(directory: Path, key: Path, *names: str, more: str = "") -> Path:
    """A file with a signing request for ``names``, by OpenSSL as people make them."""
    file = directory / "request.pem"
    wanted = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
    extensions = ["-addext", wanted, *(["-addext", more] if more else [])]
    run(["openssl", "req", "-new", "-key", key, "-subj", "/", *extensions, "-out", file])
    return file


def test_each_kind_of_key_is_made_and_rotated_as_configured(house: Household) -> None:
    """Never, at each renewal, after a time that has passed or has not; and anew where that is asked for."""
    rotations = {"never": "never", "renewal": "renewal", "old": "1s", "young": "180d"}
    table: dict[str, Any] = {kind: {"names": [f"{kind}.{ZONE}"], "key_type": kind} for kind in KEY_TYPES}
    table |= {name: {"names": [f"{name}.{ZONE}"], "key_rotation": value} for name, value in rotations.items()}
    house.says(overrides={"certificates": table})
    house("issue").succeeded()
    assert [house.key_type(kind) for kind in KEY_TYPES] == list(KEY_TYPES)
    before = {name: (house.key_of(name), house.serial(name)) for name in rotations}
    ran = house("--json", "renew", "--force", *rotations).succeeded()
    is_reused = {event["certificate"]: event["reused"] for event in ran.named("key")}
    assert is_reused == {"never": True, "renewal": False, "old": False, "young": True}
    for name, (key, serial) in before.items():
        assert (house.key_of(name) == key, house.serial(name) == serial) == (is_reused[name], False)
    assert "not due and keeps its key" in house("renew", "--new-key", "never").succeeded().stderr
    assert house.key_of("never") == before["never"][0]
    house("renew", "--force", "--new-key", "never").succeeded()
    assert house.key_of("never") != before["never"][0]


def test_a_key_that_somebody_brings_is_used(house: Household, tmp_path: Path) -> None:
    """And stays where keys do not rotate; a file that cannot be used changes nothing, and says why."""
    house.says(overrides={"certificates": {"brought": {"names": [f"brought.{ZONE}"], "key_rotation": "never"}}})
    good, other = written_key(tmp_path), written_key(tmp_path, "rsa2048")
    house("issue", "brought", "--key", good).succeeded()
    assert house.key_of("brought") == keys.spki_sha256_of(good.read_text())
    house("renew", "--force", "brought").succeeded()
    assert house.key_of("brought") == keys.spki_sha256_of(good.read_text())
    locked = tmp_path / "locked.key"
    run(["openssl", "pkcs8", "-topk8", "-in", good, "-passout", "pass:secret", "-out", locked])
    serial = house.serial("brought")
    for file, words in ((other, "rsa2048"), (locked, "encrypted"), (tmp_path / "none", "cannot be read")):
        error, hint = house("issue", "--force", "brought", "--key", file).failed(2).error
        assert words in error and str(file) in error and hint
    assert house.serial("brought") == serial


@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa2048"])
def test_a_request_is_renewed_without_its_key(house: Household, tmp_path: Path, kind: str) -> None:
    """The key never comes here; with one of its own the certificate goes on like any other."""
    name = f"request-{kind}.{ZONE}"
    key = written_key(tmp_path, kind)
    request = requested(tmp_path, key, name, f"www.{name}")
    house.says()
    house("issue", "--csr", request, "--name", name).succeeded()
    there = {path.name for path in (house.live(name) / "current").iterdir()}
    assert {"fullchain.pem", "cert.pem", "chain.pem"} <= there
    assert not {"privkey.pem", "combined.pem"} & there
    first = house.serial(name)
    house("renew", "--force", name).succeeded()
    assert house.serial(name) != first
    assert keys.describe(house.pem(name)).spki_sha256 == keys.spki_sha256_of(key.read_text())
    assert "kept" in house("renew", name).succeeded().stdout
    if kind == "ecdsa-p256":
        house("renew", "--force", name, "--key", key).succeeded()
        assert house.key_of(name) == keys.spki_sha256_of(key.read_text())


def test_fail_requests_that_no_certificate_comes_of(house: Household, tmp_path: Path) -> None:
    """Other names than configured, must-staple, a signature by another key, no request at all: nothing is ordered."""
    name = f"strict.{ZONE}"
    house.says({name: [name]})
    key = written_key(tmp_path)
    cases = {
        "must-staple": requested(tmp_path, key, name, more="tlsfeature=status_request").read_bytes(),
        "is for": requested(tmp_path, key, f"else.{ZONE}").read_bytes(),
        "signature": _forged(requested(tmp_path, key, name), tmp_path),
        "request": key.read_bytes(),
    }
    file = tmp_path / "bad.csr"
    for words, content in cases.items():
        file.write_bytes(content)
        error, hint = house("issue", name, "--csr", file).failed(2).error
        assert words in error and hint
    assert not house.live(name).exists()


def _forged(request: Path, directory: Path) -> bytes:
    """The request, in DER, with one bit of its signature turned."""
    file = directory / "request.der"
    run(["openssl", "req", "-in", request, "-outform", "DER", "-out", file])
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    return bytes(content)


def test_names_of_every_script_are_taken_and_shown_as_people_write_them(house: Household) -> None:
    """In the configuration, as a certificate's own name, by -d, to show and to revoke; in A-labels as well."""
    house.says({f"müller.{ZONE}": [f"müller.{ZONE}", f"*.müller.{ZONE}"]})
    said = house("issue", f"müller.{ZONE}").succeeded()
    assert f"müller.{ZONE}: issued" in said.stdout and "xn--" not in said.stdout.split(", in ")[0]
    assert f"müller.{ZONE}: kept" in house("renew").succeeded().stdout
    house("issue", "-d", f"straße.{ZONE}").succeeded()
    assert f"straße.{ZONE}: kept" in house("issue", "-d", f"xn--strae-oqa.{ZONE}").succeeded().stdout
    assert f"straße.{ZONE}" in house("list").succeeded().stdout
    for command in (("show",), ("log",), ("revoke",)):
        for name in (f"straße.{ZONE}", f"xn--strae-oqa.{ZONE}"):
            assert f"straße.{ZONE}" in house(*command, name).succeeded().stdout, command
    house("delete", f"straße.{ZONE}").succeeded()


# Keys that TLSA records hold. What a name server's record says is looked for at the servers themselves.

HELD = "held"
MAIL = f"_25._tcp.mail.{ZONE}."
SITE = f"_443._tcp.site.{ZONE}."


def names(digest: str) -> str:
    """The record that people write by hand."""
    return f"3 1 1 {digest}"


@pytest.fixture
def guarded(house: Household, place: Lab) -> Iterator[Household]:
    """A wildcard with the zone's mail host below it and a web site, each with a record for the live key."""
    table = {"mail": {"names": [ZONE, f"*.{ZONE}"]}, "site": {"names": [f"site.{ZONE}"]}}
    house.says(overrides={"certificates": table})
    house("issue").succeeded()
    place.powerdns.set_soa_edit_api(ZONE, "INCREASE")
    place.powerdns.replace(ZONE, f"{ZONE}.", [f"10 mail.{ZONE}."], record_type="MX")
    for host in ("mail", "site"):
        place.powerdns.replace(ZONE, f"{host}.{ZONE}.", ["192.0.2.1"], record_type="A")
    publish(place, {MAIL: [house.key_of("mail")], SITE: [house.key_of("site")]})
    yield house
    publish(place, {MAIL: [], SITE: []})


def publish(place: Lab, digests: dict[str, list[str]]) -> None:
    """Have every server of the zone answer with records for these keys."""
    for owner, wanted in digests.items():
        place.powerdns.replace(ZONE, owner, [names(digest) for digest in wanted], record_type="TLSA")
    # Transfers are whole: where the last change is, the others are too.
    mark = hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()
    place.powerdns.replace(ZONE, f"mark.{ZONE}.", [f'"{mark}"'], record_type="TXT")
    place.powerdns.notify(ZONE)
    place.await_values(f"mark.{ZONE}", [mark])


def test_a_key_that_a_record_names_survives_and_others_do_not(guarded: Household, place: Lab, tmp_path: Path) -> None:
    """With every default; the twins: a record of another key, one that names the new key too, no guard at all."""
    before = {name: guarded.key_of(name) for name in ("mail", "site")}
    ran = guarded("renew", "--force").succeeded()
    assert {name: guarded.key_of(name) for name in before} == before
    for owner in (MAIL, SITE):
        assert f"{owner.rstrip('.')} names the present key" in ran.stderr
    assert "the present key is used again" in ran.stderr

    given = written_key(tmp_path)
    digest = keys.spki_sha256_of(given.read_text())
    publish(place, {MAIL: ["00" * 32], SITE: [before["site"], digest]})
    guarded("renew", "--force", "mail").succeeded()
    assert guarded.key_of("mail") != before["mail"]
    guarded("renew", "--force", "site", "--key", given).succeeded()
    assert guarded.key_of("site") == digest

    publish(place, {SITE: [digest]})
    guarded("renew", "--force", "--new-key", "site").succeeded()
    assert guarded.key_of("site") == digest
    guarded.says(overrides={"certificates": {"site": {"names": [f"site.{ZONE}"], "tlsa_guard": False}}})
    guarded("renew", "--force", "site").succeeded()
    assert guarded.key_of("site") != digest


def test_another_kind_of_key_waits_for_the_record(guarded: Household) -> None:
    """Nothing is ordered; with a change of names as well, the names come with the present key."""
    table: dict[str, Any] = {"names": [f"site.{ZONE}"], "key_type": "rsa2048"}
    guarded.says(overrides={"certificates": {"site": table}})
    serial, key = guarded.serial("site"), guarded.key_of("site")
    ran = guarded("--json", "renew").failed(5)
    assert not ran.named("order") and guarded.serial("site") == serial
    assert SITE.rstrip(".") in ran.result["error"]["message"]
    guarded.says(overrides={"certificates": {"site": {**table, "names": [f"site.{ZONE}", f"www.site.{ZONE}"]}}})
    guarded("renew").succeeded()
    assert guarded.serial("site") != serial and guarded.key_of("site") == key


def test_a_compromised_key_goes_though_a_record_names_it(guarded: Household) -> None:
    """That mail will not come through is told, with the record to publish; a request cannot bring the key back."""
    key = guarded.key_of("site")
    guarded("revoke", "site", "--reason", "keycompromise").succeeded()
    ran = guarded("renew", "site").succeeded()
    assert guarded.key_of("site") != key
    assert "the compromised key is given up all the same" in ran.stderr
    assert names(guarded.key_of("site")) in ran.stderr


def test_a_request_for_another_key_waits_for_the_record(guarded: Household, tmp_path: Path) -> None:
    """Whether the present key is here or not, and whether the next one is."""
    key = written_key(tmp_path)
    request = requested(tmp_path, key, f"site.{ZONE}")
    serial = guarded.serial("site")
    assert SITE.rstrip(".") in guarded("issue", "--force", "site", "--csr", request).failed(5).error[0]
    assert guarded.serial("site") == serial
