"""Accounts at a real CA program over years: made, found, changed, moved, closed, by the installed program."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dnsbroker import keys
from household import Household, credulous
from lab.pebble import Pebble
from lab.rig import Lab

MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
NAME = "account.example.test"
ONE = {NAME: [NAME]}
#: Where an account that has proved nothing yet orders what another one had before.
OTHER = "again.example.test"
TWO = {**ONE, OTHER: [OTHER]}


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
def binding_ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA that opens an account only for whom it knows."""
    with credulous(tmp_path_factory.mktemp("binding"), port=14511, mac_keys={"kid-1": MAC}) as running:
        yield running


@pytest.fixture
def house(place: Lab, ca: Pebble, tmp_path: Path) -> Household:
    """A home without any state."""
    return Household(place, tmp_path / "home", ca)


@pytest.fixture
def bound(place: Lab, binding_ca: Pebble, tmp_path: Path) -> Callable[..., Household]:
    """A home that knows the binding, its key written to a file: ``bound(key, algorithm)``."""

    def written(key: str = MAC, algorithm: str = "HS256") -> Household:
        file = tmp_path / "eab.key"
        file.touch(mode=0o600)
        file.write_text(key)
        acme = {"eab_kid": "kid-1", "eab_hmac_key": {"file": str(file)}, "eab_algorithm": algorithm}
        return Household(place, tmp_path / "home", binding_ca).says(ONE, {"acme": acme})

    return written


def key_type(house: Household) -> str:
    """The kind of the account's key."""
    return keys.key_type_of((house.state / "accounts" / "default" / "key.pem").read_text())


def test_an_account_is_registered_shown_and_updated(house: Household) -> None:
    """Before there is one, that is said; who registers twice has one."""
    error, hint = house("account", "show").failed(1).error
    assert "there is no account default" in error and "account register" in hint
    first = house("--json", "account", "register").succeeded().result
    again = house("--json", "account", "register").succeeded().result
    assert (first["changed"], again["changed"], again["url"]) == (True, False, first["url"])
    shown = house("--json", "account", "show").succeeded().result
    assert (shown["url"], shown["account_status"], shown["contact"]) == (first["url"], "valid", [])
    house.says(overrides={"acme": {"contact": ["hostmaster@example.test"]}})
    assert house("--json", "account", "update").succeeded().result["changed"]
    again = house("--json", "account", "update").succeeded().result
    assert (again["contact"], again["changed"]) == (["mailto:hostmaster@example.test"], False)


def test_a_key_is_rolled_over_to_another_kind_and_back(house: Household) -> None:
    """The URL stays; nothing staged is left; what was issued before is renewed after."""
    house.says(ONE)
    house("issue").succeeded()
    url = house.account()["url"]
    for wanted, is_given in (("rsa2048", True), ("rsa2048", False), ("ecdsa-p384", True)):
        given = ["--key-type", wanted] if is_given else []
        before = (house.state / "accounts" / "default" / "key.pem").read_text()
        assert house("--json", "account", "rollover", *given).succeeded().result["url"] == url
        assert key_type(house) == wanted
        assert (house.state / "accounts" / "default" / "key.pem").read_text() != before
        assert {path.name for path in (house.state / "accounts" / "default").iterdir()} == {"key.pem", "account.json"}
    house("renew", "--force", NAME).succeeded()
    assert house.account()["url"] == url


def test_a_run_killed_while_the_key_changed_is_mended(house: Household) -> None:
    """The key that the CA has taken is the one that stays; a rehearsal elsewhere in between decides nothing."""
    house.says(TWO, {"acme": {"staging": house.ca.url}})
    url = house("--json", "account", "register").succeeded().result["url"]
    home = house.state / "accounts" / "default"
    old = (home / "key.pem").read_text()
    house("account", "rollover").succeeded()
    new = (home / "key.pem").read_text()
    # What is on disk between the CA's word and ours.
    (home / "key.pem").write_text(old)
    (home / "next.pem").write_text(new)
    house("issue", "--rehearse", NAME).succeeded()
    assert (home / "next.pem").read_text() == new
    assert house("--json", "account", "show").succeeded().result["url"] == url
    assert (home / "key.pem").read_text() == new
    assert not (home / "next.pem").exists()
    house("issue", OTHER).succeeded()


def test_an_account_is_found_by_its_key_at_its_ca_alone(house: Household, tmp_path: Path) -> None:
    """Its URL lost, or its directory copied to another host: the same account, and no other made."""
    house.says(ONE)
    url = house("--json", "account", "register").succeeded().result["url"]
    (house.state / "accounts" / "default" / "account.json").unlink()
    events = house("--json", "issue").succeeded()
    assert [event["url"] for event in events.named("account")] == [url] == [house.account()["url"]]
    other = Household(house._lab, tmp_path / "other", house.ca).says(ONE)
    other.state.mkdir()
    shutil.copytree(house.state / "accounts", other.state / "accounts")
    assert not other("--json", "issue").succeeded().named("account")
    assert other("--json", "account", "show").succeeded().result["url"] == url


def test_a_second_account_is_at_another_ca(house: Household, binding_ca: Pebble) -> None:
    """With a key of its own; a certificate chooses it, and a wrong name is found out."""
    tcs = {
        "directory": binding_ca.url,
        "ca_bundle": str(binding_ca.ca_file),
        "agree_tos": True,
        "eab_kid": "kid-1",
        "eab_hmac_key": MAC,
    }
    chosen = {NAME: {"names": [NAME], "account": "tcs"}}
    house.says(overrides={"accounts": {"tcs": tcs}, "certificates": chosen})
    house("issue").succeeded()
    assert house.account("tcs")["directory"] == binding_ca.url
    assert [path.name for path in (house.state / "accounts").iterdir()] == ["tcs"]
    assert house("--json", "account", "show", "--account", "tcs").succeeded().result["account"] == "tcs"
    error, hint = house("account", "show", "--account", "tsc").failed(2).error
    assert "tsc" in error and "tcs" in hint


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_an_account_is_bound_by_each_algorithm(bound: Callable[..., Household], algorithm: str) -> None:
    """The third is below."""
    bound(MAC, algorithm)("account", "register").succeeded()


def test_a_bound_account_goes_on_without_the_secret(bound: Callable[..., Household]) -> None:
    """Its file gone after the registration, all goes on, also where the URL is lost; and nobody ever saw it."""
    house = bound(MAC, "HS384")
    said = house("-vv", "issue").succeeded()
    (house.configuration.parents[1] / "eab.key").unlink()
    rans = [said, house("-vv", "renew", "--force", NAME).succeeded(), house("-vv", "config", "check").succeeded()]
    (house.state / "accounts" / "default" / "account.json").unlink()
    rans += [house("-vv", "account", "show").succeeded(), house("-vv", "account", "register").succeeded()]
    text = "".join(ran.stdout + ran.stderr for ran in rans)
    secrets = [MAC, (house.state / "accounts" / "default" / "key.pem").read_text().splitlines()[1]]
    assert not [secret for secret in secrets if secret in text]
    assert not [name for name, content in house.files().items() if MAC in str(content)]


BROKEN = {"white space": f"{MAC[:20]} {MAC[20:]}", "padding": f"{MAC}=", "alphabet": MAC.replace("z", "+")}


@pytest.mark.parametrize("key", BROKEN.values(), ids=BROKEN)
def test_fail_a_binding_key_that_is_not_base64url(bound: Callable[..., Household], key: str) -> None:
    """Before anybody is contacted, also where no certificate is named; with the key's place, and without the key."""
    house = bound(key)
    ran = house("-vv", "renew").failed(2)
    assert "[acme] eab_hmac_key" in ran.error[0], ran.stderr
    assert key not in ran.stderr + ran.stdout
    assert not (house.state / "accounts").exists()


def test_fail_a_ca_that_wants_a_binding(house: Household, binding_ca: Pebble) -> None:
    """None is configured: the CA's wish and the keys to set; the key for the account is kept for the next run."""
    house.ca = binding_ca
    error, hint = house.says(ONE)("issue", NAME).failed(2).error
    assert "bound" in error and "eab_kid and eab_hmac_key" in hint


def test_a_deactivated_account_orders_nothing_until_there_is_a_new_one(house: Household) -> None:
    """Its certificate stays, and is not in the way of `renew` until it is due."""
    house.says(TWO)
    house("issue", NAME).succeeded()
    url = house("--json", "account", "deactivate").succeeded().result["url"]
    house("renew", NAME).succeeded()
    error, hint = house("issue", "--force", NAME).failed(2).error
    assert "deactivated" in error and "account register" in hint
    house("account", "show").failed(1)
    assert house("--json", "account", "register").succeeded().result["url"] != url
    house("issue", OTHER).succeeded()


def test_fail_an_account_that_was_closed_elsewhere(house: Household, tmp_path: Path) -> None:
    """By another host that has its key: the CA's refusal, and what it may mean."""
    house.says(ONE)
    house("issue").succeeded()
    other = Household(house._lab, tmp_path / "other", house.ca)
    other.state.mkdir()
    shutil.copytree(house.state / "accounts", other.state / "accounts")
    other("account", "deactivate").succeeded()
    error, hint = house("issue", "--force", NAME).failed(1).error
    assert "deactivated" in error + hint


def test_fail_a_directory_that_is_none_and_a_ca_that_is_down(house: Household) -> None:
    """Status 1 and words, and no account kept that is none."""
    wrong, down = house.ca.url.replace("/dir", "/nonce-plz"), "https://localhost:9/dir"
    for words, url in ((["issue", NAME], wrong), (["account", "register"], wrong), (["account", "register"], down)):
        error, hint = house.says(ONE, {"acme": {"directory": url}})(*words).failed(1).error
        assert url in error + hint or "localhost" in error
    assert not (house.state / "accounts" / "default" / "account.json").exists()


def test_fail_nothing_is_ordered_without_consent(house: Household) -> None:
    """Not even an account."""
    house.says(ONE, {"acme": {"agree_tos": False}})
    for words in (["issue"], ["account", "register"]):
        assert "agree" in house(*words).failed(2).error[0]
    assert not (house.state / "accounts").exists()
