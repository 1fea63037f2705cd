"""The commands against the lab: keys and modes, what is due and why, what is left alone, and what is printed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnsbroker import __version__
from dnsbroker.journal import FileLock
from lab.pebble import Pebble
from lab.processes import run
from lab.rig import Lab
from lab.topology import RESOLVER
from program import Program, Ran

Configured = Callable[..., Program]

APEX = {"example.test": ["example.test", "*.example.test"]}
BRIEF = {"providers": {"powerdns": {"ttl": "1s"}}}
"""Records that no cache keeps for long, where one name is proved again and again."""
CHALLENGE = "_acme-challenge.example.test"
KEY_TYPES = {
    "ecdsa-p256": "prime256v1",
    "ecdsa-p384": "secp384r1",
    "rsa2048": "Public-Key: (2048 bit)",
    "rsa3072": "Public-Key: (3072 bit)",
    "rsa4096": "Public-Key: (4096 bit)",
}
RESULT_KEYS = ["event", "time", "schema", "command", "status", "changed", "certificates"]


def public_key(file: Path) -> str:
    """The public key of a certificate or a private key, in PEM."""
    command = ["x509", "-noout", "-pubkey"] if "CERTIFICATE" in file.read_text() else ["pkey", "-pubout"]
    return run(["openssl", *command, "-in", file])


def statuses(ran: Ran) -> dict[str, tuple[str, str]]:
    """What became of each certificate, and why."""
    return {item["name"]: (item["status"], item["reason"]) for item in ran.result["certificates"]}


# Keys and files


def test_a_key_of_every_type(lab: Lab, program: Configured) -> None:
    """The certificates of one run, each with its own kind of key."""
    tables = {name: {"names": [f"{name}.example.test"], "key_type": name} for name in KEY_TYPES}
    dnsbroker = program({}, {"certificates": tables})
    dnsbroker("issue").succeeded()
    for name, words in KEY_TYPES.items():
        live = dnsbroker.live(name)
        assert words in run(["openssl", "x509", "-noout", "-text", "-in", live / "cert.pem"])
        assert public_key(live / "cert.pem") == public_key(live / "privkey.pem")


def test_a_key_is_kept_replaced_or_brought_along(lab: Lab, program: Configured, tmp_path: Path) -> None:
    """As key_rotation, --new-key and --key say; --key is left where it is."""
    own = tmp_path / "own.pem"
    own.write_text(run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"]))
    rotations = {"each": "renewal", "old": "180d", "same": "never"}
    tables = {name: {"names": [f"{name}.example.test"], "key_rotation": word} for name, word in rotations.items()}
    dnsbroker = program({}, {"certificates": tables, **BRIEF})

    def issued(*arguments: str | Path) -> dict[str, str]:
        dnsbroker("issue", "--force", *arguments).succeeded()
        return {name: public_key(dnsbroker.live(name) / "privkey.pem") for name in rotations}

    first, second = issued(), issued()
    assert [name for name in rotations if first[name] == second[name]] == ["old", "same"]
    third = issued("--new-key")
    assert not set(third.values()) & set(second.values())
    assert issued("same", "--key", own)["same"] == public_key(own)
    assert own.exists()


def test_a_key_of_the_wrong_kind_is_refused(lab: Lab, program: Configured, tmp_path: Path) -> None:
    """Before anything is contacted, with the way to have it."""
    own = tmp_path / "own.pem"
    own.write_text(run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]))
    error, hint = program({})("issue", "-d", "key.example.test", "--key", own).failed(2).error
    assert "the key is rsa2048, but key.example.test is to have ecdsa-p256" in error
    assert "--key-type rsa2048" in hint
    error, hint = program({})("issue", "-d", "key.example.test", "--key", tmp_path / "missing.pem").failed(2).error
    assert error == f"{tmp_path}/missing.pem: cannot be read: no such file or directory"
    assert "a private key in PEM" in hint
    assert not lab.unbound.queries()


def test_owner_group_and_mode_are_those_of_the_private_files(lab: Lab, program: Configured) -> None:
    """The group can reach and read them, and nobody else can; the public ones are for everybody."""
    table = {"names": ["mode.example.test"], "owner": "root", "group": "root", "mode": "0640"}
    dnsbroker = program({}, {"certificates": {"mode": table}})
    dnsbroker("issue", "mode").succeeded()
    live = dnsbroker.live("mode")
    modes = {file.stem: stat.S_IMODE(file.stat().st_mode) for file in live.glob("*.pem")}
    assert modes == {"privkey": 0o640, "combined": 0o640, "cert": 0o644, "chain": 0o644, "fullchain": 0o644}
    for directory in (live, live / "current", live.parent, dnsbroker.state / "archive"):
        assert directory.stat().st_mode & stat.S_IXGRP


def test_an_unknown_owner_is_found_before_anything_is_ordered(lab: Lab, program: Configured) -> None:
    """It is the configuration's error."""
    dnsbroker = program({}, {"certificates": {"mode": {"names": ["mode.example.test"], "owner": "nobody-here"}}})
    error, _ = dnsbroker("issue", "mode").failed(2).error
    assert "nobody-here" in error
    assert not lab.unbound.queries()


# What is due


@pytest.fixture
def other_ca(lab: Lab, tmp_path: Path) -> Iterator[Mapping[str, object]]:
    """One more CA: the configuration's part that goes there."""
    with Pebble(tmp_path / "ca", resolver=f"{RESOLVER}:53", port=14001, management_port=15001, name="other") as ca:
        yield {"directory": ca.url, "ca_bundle": str(ca.ca_file)}


def test_renew_does_what_is_to_be_done_and_says_why(
    lab: Lab, program: Configured, other_ca: Mapping[str, object]
) -> None:
    """What is there and right stays; what is missing or otherwise than configured is issued, each with its reason."""
    same = {"same": ["same.example.test"], "names": ["one.example.test"], "key": ["key.example.test"]}
    first = program(same)("--json", "renew").succeeded()
    assert set(statuses(first).values()) == {("issued", "not there")}
    before = {item["name"]: item["serial"] for item in first.result["certificates"]}

    changed = {"certificates": {"key": {"key_type": "rsa2048"}}}
    tables = {**same, "names": ["two.example.test"], "new": ["new.example.test"]}
    second = program(tables, changed)("--json", "renew").succeeded()
    found = statuses(second)
    assert found["same"][0] == "kept"
    assert re.fullmatch(r"valid until \d{4}-\d\d-\d\d", found["same"][1])
    assert found["names"] == ("issued", "names changed: +two.example.test -one.example.test")
    assert found["key"] == ("issued", "key_type changed: ecdsa-p256 to rsa2048")
    assert found["new"] == ("issued", "not there")
    after = {item["name"]: item["serial"] for item in second.result["certificates"]}
    assert [name for name in before if before[name] == after[name]] == ["same"]

    dnsbroker = program({"same": same["same"]}, {"acme": other_ca})
    moved = dnsbroker("renew").succeeded()
    why = rf"directory changed: {re.escape(lab.pebble.url)} to {re.escape(str(other_ca['directory']))}"
    assert re.search(rf"^same: issued \({why}\), valid until ", moved.stdout, re.MULTILINE)


def test_issue_leaves_alone_what_is_there(lab: Lab, program: Configured) -> None:
    """None named: all not yet issued; named: as it is unless it is due; nothing changes."""
    tables = {"one": ["one.example.test"], "two": ["two.example.test"]}
    dnsbroker = program({"one": tables["one"]})
    dnsbroker("issue").succeeded()
    dnsbroker = program(tables)
    assert list(statuses(dnsbroker("issue", "--json").succeeded())) == ["two"]
    assert dnsbroker("issue").succeeded().stdout == "nothing to do: no configured certificate is missing\n"
    kept = dnsbroker("issue", "one", "--json").succeeded()
    assert statuses(kept)["one"][0] == "kept"
    assert kept.result["changed"] is False
    assert program({})("renew").succeeded().stdout == "nothing to do: no certificate is configured\n"


def test_an_expired_certificate_is_due(lab: Lab, program: Configured, tmp_path: Path) -> None:
    """A CA whose certificates live for a second; list says so as well."""
    brief = {"certificateValidityPeriod": 1}
    with Pebble(
        tmp_path / "ca", resolver=f"{RESOLVER}:53", port=14001, management_port=15001, name="brief", configuration=brief
    ) as ca:
        acme = {"acme": {"directory": ca.url, "ca_bundle": str(ca.ca_file)}}
        dnsbroker = program({"short": ["short.example.test"]}, {**acme, **BRIEF})
        dnsbroker("issue").succeeded()
        status, reason = statuses(dnsbroker("--json", "renew").succeeded())["short"]
    assert status == "issued"
    assert re.fullmatch(r"(expired on|past half of its lifetime since) [-: \d]+UTC", reason)


def test_a_broken_certificate_concerns_itself_alone(lab: Lab, program: Configured) -> None:
    """Named it is a usage error; when all are renewed the rest is done, and it is reported."""
    tables = {"good": {"names": ["good.example.test"]}, "bad": {"names": ["bad.example.test"], "key_typ": "rsa2048"}}
    dnsbroker = program({}, {"certificates": tables})
    words = "unknown key; the nearest known key is key_type"
    assert words in dnsbroker("renew", "bad").failed(2).error[0]
    ran = dnsbroker("renew").failed(1)
    assert "good: issued" in ran.stdout
    assert words in ran.error[0]
    assert ran.error[0].startswith("bad: ")
    told = dnsbroker("--json", "renew").failed(1)
    assert {name: status for name, (status, _) in statuses(told).items()} == {"good": "kept", "bad": "failed"}
    assert told.result["error"]["certificate"] == "bad"
    dnsbroker("renew", "good").succeeded()


def test_what_another_process_works_on_is_left_to_it(lab: Lab, program: Configured) -> None:
    """It is neither done twice nor a failure."""
    dnsbroker = program(APEX)
    lock = FileLock(dnsbroker.state / "locks" / "certificate-example.test")
    assert lock.try_acquire()
    try:
        ran = dnsbroker("--json", "issue", "example.test").succeeded()
        told = dnsbroker("issue", "example.test").succeeded().stdout
    finally:
        lock.release()
    assert statuses(ran)["example.test"] == ("busy", f"another dnsbroker (pid {os.getpid()}) has it: left to it")
    assert told == f"example.test: another dnsbroker (pid {os.getpid()}) has it: left to it\n"
    assert not ran.named("order")


# Ad hoc


def test_an_ad_hoc_certificate_is_remembered_and_renewed(lab: Lab, program: Configured) -> None:
    """Under the first name less its wildcard, in lower case and without a final dot; later it is like the rest."""
    dnsbroker = program({}, BRIEF)
    dnsbroker("issue", "-d", "*.Web.Example.TEST.", "-d", "web.example.test", "--key-type", "rsa2048").succeeded()
    remembered = tomllib.loads((dnsbroker.state / "certificates" / "web.example.test.toml").read_text())
    assert remembered == {"names": ["*.web.example.test", "web.example.test"], "key_type": "rsa2048"}
    assert statuses(dnsbroker("--json", "renew").succeeded())["web.example.test"][0] == "kept"
    shutil.rmtree(dnsbroker.live("web.example.test"))
    assert statuses(dnsbroker("--json", "renew").succeeded())["web.example.test"] == ("issued", "not there")
    assert "RSA" in run(["openssl", "x509", "-noout", "-text", "-in", dnsbroker.live("web.example.test") / "cert.pem"])


def test_a_configured_name_is_not_taken_for_an_ad_hoc_certificate(lab: Lab, program: Configured) -> None:
    """The configuration is what counts; the hint says how to have either."""
    error, hint = program(APEX)("issue", "-d", "example.test").failed(2).error
    assert error.endswith("/dnsbroker.toml: certificate 'example.test' is configured already")
    assert "`dnsbroker issue example.test` obtains it" in hint


def test_a_failed_ad_hoc_certificate_is_not_remembered(lab: Lab, program: Configured) -> None:
    """Nobody wants a mistyped name to be tried for ever."""
    dnsbroker = program({})
    dnsbroker("issue", "-d", "www.strange.test").failed(1)
    assert not list((dnsbroker.state / "certificates").glob("*.toml"))
    dnsbroker("renew").succeeded()


def test_an_international_name(lab: Lab, program: Configured) -> None:
    """Ordered as A-label, shown as people write it."""
    dnsbroker = program({})
    ran = dnsbroker("issue", "-d", "Bücher.example.test", "--name", "buch").succeeded()
    assert "_acme-challenge.bücher.example.test" in ran.stderr
    assert "bücher.example.test" in dnsbroker("list").succeeded().stdout
    names = run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", dnsbroker.live("buch") / "cert.pem"])
    assert "DNS:xn--bcher-kva.example.test" in names


# What is printed


def test_the_plan_writes_and_orders_nothing(lab: Lab, program: Configured) -> None:
    """--dry-run shows where each value would go and through whom, even for what is not due by force."""
    tables = {**APEX, "away": ["cname.example.test"]}
    dnsbroker = program(tables, {"acme": {"directory": "https://localhost:1/dir"}})
    before = {zone: lab.serial(domain.primary, zone) for zone, domain in lab.domains.items()}
    ran = dnsbroker("renew", "--dry-run").succeeded()
    assert ran.stdout.splitlines() == [
        "example.test: would be issued (not there)",
        "  TXT at _acme-challenge.example.test, in zone example.test through provider powerdns",
        "away: would be issued (not there)",
        "  TXT at _acme-challenge.cname.example.test -> _acme-challenge.cname.bind.test,"
        " in zone bind.test through provider bind",
    ]
    result = dnsbroker("renew", "--dry-run", "--json").succeeded().result
    assert {item["status"] for item in result["certificates"]} == {"planned"}
    assert result["changed"] is False
    assert {zone: lab.serial(domain.primary, zone) for zone, domain in lab.domains.items()} == before
    assert not dnsbroker.live("example.test").exists()


def test_the_result_in_json(lab: Lab, program: Configured) -> None:
    """Every line an object with event and time; the last one, and it alone, the result with all its fields."""
    dnsbroker = program(APEX)
    ran = dnsbroker("--json", "renew").succeeded()
    assert ran.stderr == ""
    for event in ran.events:
        assert datetime.fromisoformat(event["time"]).utcoffset() == UTC.utcoffset(None)
    result = ran.result
    assert list(result) == RESULT_KEYS
    assert (result["schema"], result["command"], result["status"], result["changed"]) == (1, "renew", 0, True)
    (item,) = result["certificates"]
    assert {"name", "status", "reason", "not_after", "serial", "path"} <= set(item)
    assert (item["name"], item["status"], item["path"]) == (
        "example.test",
        "issued",
        str(dnsbroker.live("example.test")),
    )
    assert datetime.fromisoformat(item["not_after"]) > datetime.now(UTC)
    (listed,) = dnsbroker("list", "--json").succeeded().result["certificates"]
    assert {**listed, "status": "", "reason": ""} == {**item, "status": "", "reason": ""}
    failed = dnsbroker("renew", "strange", "--json").failed(2).result
    assert failed["certificates"] == []
    assert {"kind", "message", "hint"} <= set(failed["error"])


def test_the_story_and_the_result(lab: Lab, program: Configured) -> None:
    """What came of it is on stdout, how on stderr; with -q neither, unless something fails."""
    dnsbroker = program(APEX)
    ran = dnsbroker("issue").succeeded()
    day = r"\d{4}-\d\d-\d\d"
    live = re.escape(str(dnsbroker.live("example.test")))
    assert re.fullmatch(rf"example\.test: issued \(not there\), valid until {day}, in {live}\n", ran.stdout)
    story = ran.stderr.splitlines()
    for words in (
        "account at the CA: https://localhost:14000/",
        "warning: zone example.test: SOA-EDIT-API was unset and is now INCREASE",
        "written to example.test at powerdns, serial ",
        "  ns3.example.test 127.0.0.13: has it, serial ",
        f"every server has {CHALLENGE}",
        "example.test: validated: *.example.test",
        f"withdrawn from example.test: {CHALLENGE}",
    ):
        assert any(line.startswith(words) for line in story), (words, story)
    again = dnsbroker("renew").succeeded()
    assert re.fullmatch(rf"example\.test: kept, valid until {day}, in {live}\n", again.stdout)
    assert again.stderr == ""
    listed = dnsbroker("list").succeeded().stdout
    assert re.fullmatch(rf"example\.test  example\.test \*\.example\.test  {day} \(\d+ days left\)  {live}\n", listed)
    quiet = dnsbroker("-q", "renew").succeeded()
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert dnsbroker("-q", "renew", "strange").failed(2).error


def test_options_on_either_side_of_the_command(lab: Lab, program: Configured, tmp_path: Path) -> None:
    """--config, --json and -q are the same before and after it."""
    real = str(program({}).configuration)
    elsewhere = Program(tmp_path / "nowhere.toml")
    for arguments in (("--config", real, "list", "--json"), ("--json", "list", "--config", real)):
        assert elsewhere(*arguments).succeeded().result["command"] == "list"
    for words in (("-q", "renew"), ("renew", "-q")):
        assert Program(Path(real))(*words).succeeded().stdout == ""
    assert elsewhere("--version").succeeded().stdout == f"dnsbroker {__version__}\n"


def test_config_check_and_providers(lab: Lab, program: Configured) -> None:
    """What is configured, whether it can be right, and what each provider may write."""
    dnsbroker = program(APEX, {"providers": {"bind": {"zones": ["bind.test"]}}})
    checked = dnsbroker("config", "check").succeeded().stdout
    assert checked == f"{dnsbroker.configuration}: 1 certificate, 2 providers, no errors\n"
    assert dnsbroker("providers").succeeded().stdout.splitlines() == [
        "powerdns (powerdns): example.test, flaky.test",
        "bind (rfc2136): bind.test",
        "adapters installed: cloudflare, lexicon, powerdns, rfc2136",
    ]
    wrong = program(APEX, {"providers": {"powerdns": {"api_key": "wrong"}}})("providers").failed(1)
    assert "powerdns (powerdns): could not be asked" in wrong.stdout
    assert "answered 401" in wrong.error[0]


def test_records_without_certificates(lab: Lab, program: Configured) -> None:
    """Present, watched, cleaned up; a value that is nowhere is the primary's affair, and says so."""
    dnsbroker = program({})
    assert (
        dnsbroker("txt", "present", CHALLENGE, "one", CHALLENGE, "two").succeeded().stdout == f"present: {CHALLENGE}\n"
    )
    lab.await_values(CHALLENGE, ["one", "two"])
    watched = dnsbroker("wait", CHALLENGE, "--value", "one", "--value", "two").succeeded().stdout
    assert re.search(r"^ns2\.example\.test 127\.0\.0\.12: has it, serial \d+$", watched, re.MULTILINE)
    told = dnsbroker("gc").succeeded().stdout
    assert told.startswith("nothing to withdraw\nleft: 2 values of hooks or `txt present` stand, until 20")
    assert dnsbroker("txt", "cleanup", CHALLENGE, "one").succeeded().stdout == f"withdrawn: {CHALLENGE}\n"
    lab.await_values(CHALLENGE, ["two"])
    error, hint = dnsbroker("wait", CHALLENGE, "--value", "one", "--timeout", "1s").failed(3).error
    for host in ("ns1", "ns2", "ns3"):
        assert f"{host}.example.test (" in error
    assert "was it written" in hint
    dnsbroker("txt", "cleanup", CHALLENGE, "two").succeeded()
    lab.await_values(CHALLENGE, [])
