"""What a hook's call imports: nothing for what is of no concern, and the journal alone where that will do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.environment import variables
from kept_elsewhere import Kept
from updating import Updating

NAME = "_acme-challenge.example.org."
VALUE = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"

KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, ["a.test"])

#: What publishing through RFC 2136 has no use for, be it on the way in or out.
NEVER = {"acme", "click", "cryptography", "httpx", "josepy", "requests", "rich", "tenacity", "urllib3", "dns.dnssec"}
#: What it takes to speak to anybody.
NETWORK = {"asyncio", "dns", "idna", "importlib.metadata", "logging", "socket", "ssl"}

CERTBOT = {
    "CERTBOT_DOMAIN": "example.org",
    "CERTBOT_VALIDATION": VALUE,
    "CERTBOT_ALL_DOMAINS": "example.org,www.example.org",
}


@pytest.fixture
def server() -> Iterator[Updating]:
    server = Updating()
    with server:
        yield server


@pytest.fixture
def configuration(server: Updating, tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return server.configuration(tmp_path)


def imported(code: str, environment: Mapping[str, str] | None = None) -> set[str]:
    """The modules that are there after ``code``; it must end well."""
    program = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**variables(), **(environment or {})},
    )
    return set(done.stderr.splitlines()[-1].split())


def call(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> set[str]:
    """The modules that are there after a call of the program."""
    given = list(map(str, arguments))
    return imported(f"from dnsbroker.cli.hook import main\nassert main({given!r}) == 0", environment)


@pytest.mark.parametrize(
    "word", ["generate_csr", "deploy_ocsp", "this_hookscript_is_broken__dehydrated_is_working_fine"]
)
def test_a_call_of_no_concern_imports_nothing(word: str) -> None:
    """Of ours three modules, which have one of Python's; no configuration, which may not even be there."""
    ours = {"dnsbroker", "dnsbroker.cli", "dnsbroker.cli.hook"}
    assert call(word, "x") - imported("import __future__, gc, typing") == ours


def test_what_certbot_asks_for_before_its_last_call_is_for_the_journal_alone(configuration: Path) -> None:
    """No event loop, nobody asked, no command line parsed."""
    there = call(
        "--config", configuration, "certbot-auth", environment={**CERTBOT, "CERTBOT_REMAINING_CHALLENGES": "1"}
    )
    assert there.isdisjoint(NEVER | NETWORK)
    assert "sqlite3" in there


def test_its_last_call_imports_what_it_takes_to_publish(configuration: Path, server: Updating) -> None:
    """The twin: then all of it is there, and in DNS."""
    last = {**CERTBOT, "CERTBOT_REMAINING_CHALLENGES": "0"}
    assert call("--config", configuration, "--no-wait", "certbot-auth", environment=last) > {
        "asyncio",
        "dns",
        "sqlite3",
    }
    assert server.values(NAME) == {VALUE}


def test_publishing_through_rfc_2136_imports_neither_acme_nor_http(configuration: Path, server: Updating) -> None:
    """Nor keys, nor another adapter; and neither does taking it back."""
    there = call("--config", configuration, "--no-wait", "present", NAME, VALUE)
    assert server.values(NAME) == {VALUE}
    there |= call("--config", configuration, "cleanup", NAME, VALUE)
    assert server.values(NAME) == set()
    assert there.isdisjoint(NEVER)
    assert {name for name in there if name.startswith("dnsbroker_")} == {
        name for name in there if name.partition(".")[0] == "dnsbroker_rfc2136"
    }


def test_waiting_for_every_server_imports_no_more_of_it(configuration: Path) -> None:
    """Where the zone is not signed there is nothing to prove."""
    assert call("--config", configuration, "present", NAME, VALUE).isdisjoint(NEVER)


def test_what_looks_after_tlsa_records_is_imported_by_none_of_those_without_a_table(tmp_path: Path) -> None:
    """A dehydrated whose certificates are deployed has its runs begin and end as cheaply as ever; the twin looks."""
    kept = Kept(tmp_path / "kept", "dehydrated")
    kept.renew(KEY, CHAIN)
    table = f'state_dir = "{tmp_path / "state"}"\n[certificates."a.test"]\nlineage = "{kept.directory}"\n'
    (tmp_path / "state").mkdir()
    (tmp_path / "plain.toml").write_text(table)
    (tmp_path / "dane.toml").write_text(
        f'{table}[[dane]]\nendpoint = "smtp://a.test"\ncertificate = "{tmp_path / "elsewhere"}"\n'
    )
    certs = kept.directory.parent
    home = {"BASEDIR": str(certs.parent), "CERTDIR": str(certs), "CONFIG": str(certs.parent / "config")}
    for words in (["startup_hook"], ["exit_hook", "error"], ["exit_hook"]):
        there = call("--config", tmp_path / "plain.toml", *words, environment=home)
        assert there.isdisjoint({"dnsbroker.dane", "dnsbroker.rolling", "dnsbroker.importing"})
        assert "asyncio" not in there
        assert "dnsbroker.rolling" in call("--config", tmp_path / "dane.toml", *words, environment=home)
    files = (f"{kept.directory}/{kind}.pem" for kind in ("privkey", "cert", "fullchain", "chain"))
    there = call("--config", tmp_path / "plain.toml", "unchanged_cert", "a.test", *files, environment=home)
    assert there.isdisjoint({"dnsbroker.dane", "dnsbroker.rolling", "dnsbroker.importing"})
