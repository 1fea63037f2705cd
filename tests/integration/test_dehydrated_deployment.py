"""dehydrated's certificates, deployed and guarded by our hook; and docs/dehydrated.md as it is written.

The CA here believes every challenge at once, for what happens in DNS is not the matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import pages
from daemons.systemctl import Units
from dehydrated_host import HOOK, Dehydrated
from dnsbroker import keys
from lab.configuration import Table
from lab.pebble import Pebble
from lab.processes import run
from lab.rig import Lab
from program import Program

PAGE = pages.text("docs/dehydrated.md")
#: Nobody has to wait until there is something to see.
HASTY: Table = {"propagation": {"require": "none", "settle": "10ms"}}


@pytest.fixture(scope="module")
def account(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dehydrated]:
    """A directory with an account at a CA that believes, and remembers that it has."""
    running_lab.clean()
    directory = tmp_path_factory.mktemp("believing")
    believing = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    ca = Pebble(directory / "pebble", port=14001, management_port=15001, authorization_reuse=100, environment=believing)
    with ca:
        yield Dehydrated(directory / "dehydrated", ca, Path("unused.toml")).registered()


# -- the page --


class Page:
    """What docs/dehydrated.md shows, with what the lab has in place of its names and paths."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.directory = directory
        self._substitutes = {
            "/usr/local/bin/dnsbroker-hook": HOOK,
            "/etc/dnsbroker/pdns.key": lab.powerdns.api_key_file,
            "/etc/dnsbroker": directory,
            "/var/lib/dehydrated": directory / "dehydrated",
            "/etc/prosody": directory / "prosody",
            "/var/log": directory,
            "http://127.0.0.1:8081": lab.powerdns.url,
            'owner = "prosody"': 'owner = "root"',
            "example.org": "example.test",
        }
        (directory / "prosody" / "certs").mkdir(parents=True)
        top = f'state_dir = "{directory / "state"}"\n[dns]\nresolvers = ["{lab.unbound.address}"]\n'
        hasty = '[propagation]\nrequire = "none"\nsettle = "10ms"\n'
        (directory / "dnsbroker.toml").write_text(top + hasty + self.block("toml", "## Set up"))
        self.program = Program(directory / "dnsbroker.toml")

    def block(self, language: str, header: str) -> str:
        """The first block of a language below a header."""
        text = pages.blocks(pages.section(PAGE, header), language)[0]
        for old, new in self._substitutes.items():
            text = text.replace(old, str(new))
        return text


def test_the_page_as_it_is_written(lab: Lab, account: Dehydrated, tmp_path: Path) -> None:
    """First nginx cannot be reloaded: dehydrated goes on, hears of it at the end; its next run makes up for it."""
    page = Page(lab, tmp_path)
    settings, domains = page.block("sh", "## Set up"), page.block("text", "## Set up")
    host = account.another(tmp_path / "dehydrated", tmp_path / "unused.toml", *domains.splitlines())
    host.configure(*settings.splitlines())
    units = Units(host.home / "bin")
    units.broken("nginx")

    first = host().succeeded()
    assert first.stderr.count("Job for nginx.service failed") >= 2  # when it happens, and at the end
    assert "exit_hook returned with non-zero exit code!" in first.stderr
    copies = tmp_path / "prosody" / "certs" / "example.test"
    assert copies.stat().st_mode & 0o777 == 0o755
    modes = {path.name: path.stat().st_mode & 0o777 for path in copies.iterdir()}
    assert modes == {f"{kind}.pem": 0o644 for kind in ("cert", "chain", "fullchain")} | {
        f"{kind}.pem": 0o600 for kind in ("privkey", "combined")
    }
    live = host.certs / "example.test"
    assert (copies / "fullchain.pem").read_text() == (live / "fullchain.pem").read_text()
    assert "*.wild.example.test" in (tmp_path / "renewed").read_text()
    page.program("status").failed(4)

    units.running("nginx", "true")
    again = host().succeeded()
    assert "Skipping renew!" in again.stdout
    assert "exit_hook" not in again.stderr
    page.program("status").succeeded()
    assert units.reloads == ["nginx", "nginx"]
    assert (tmp_path / "renewed").read_text().count("\n") == 1
    names = {item["name"]: set(item["names"]) for item in page.program("--json", "list").result["certificates"]}
    assert names == {"example.test": {"example.test", "*.example.test"}, "wild": {"*.wild.example.test"}}


def test_a_hook_of_one_s_own_calls_ours_first(lab: Lab, tmp_path: Path) -> None:
    """As the page has it: it heeds what ours says, and does its own for what it knows."""
    page = Page(lab, tmp_path)
    hook = tmp_path / "hook"
    hook.write_text(page.block("sh", "## A hook of your own besides"))
    environment = ["env", f"DNSBROKER_CONFIG={page.program.configuration}"]
    words = ["example.test", *(f"{kind}.pem" for kind in ("privkey", "cert", "fullchain", "chain")), "1795264092"]
    run([*environment, "sh", hook, "deploy_cert", *words])
    assert (tmp_path / "certificates").read_text().startswith("example.test: a new certificate since ")


# -- before a certificate goes live --


def spki(path: Path) -> str:
    """The SHA-256 of the public key in a certificate or a private key's file, in hex."""
    text = path.read_text()
    public = keys.public_key_in(text) if "CERTIFICATE" in text else keys.public_key_of(keys.read_key(path))
    return hashlib.sha256(public).hexdigest()


def test_a_key_that_no_record_names_does_not_go_live(lab: Lab, account: Dehydrated, tmp_path: Path) -> None:
    """TLSA names the present key: the roll-over key waits until it is named, too; a kept key needs nothing."""
    configuration = tmp_path / "dnsbroker.toml"
    lineage = tmp_path / "dehydrated" / "certs" / "guarded.example.test"
    table = {"certificates": {"guarded": {"lineage": str(lineage)}}}
    configuration.write_text(lab.config(tmp_path / "state", overrides={**HASTY, **table}))
    host = account.another(tmp_path / "dehydrated", configuration, "guarded.example.test")
    rolling = ["PRIVATE_KEY_RENEW=yes", "PRIVATE_KEY_ROLLOVER=yes"]
    host.configure(*rolling)
    host().succeeded()
    first, rolled = spki(lineage / "cert.pem"), spki(lineage / "privkey.roll.pem")

    publish(lab, first)
    refused = host("--cron", "--force").failed(1)
    assert host.calls[-2].name == "sync_cert" and host.calls[-2].status != 0
    assert "TLSA" in refused.stderr and "sync_cert hook returned with non-zero exit code" in refused.stderr
    assert spki(lineage / "cert.pem") == first

    staged = spki(lineage / "privkey.roll.pem")
    assert staged != rolled
    publish(lab, first, staged)
    host("--cron", "--force").succeeded()
    assert spki(lineage / "cert.pem") == staged

    publish(lab, staged)
    host.configure("PRIVATE_KEY_RENEW=no")
    host.forget()
    host("--cron", "--force").succeeded()
    (sync,) = host.called("sync_cert")
    assert not Path(sync.words[1]).exists()
    assert spki(lineage / "cert.pem") == staged


def publish(lab: Lab, *digests: str) -> None:
    """TLSA records of the HTTPS port that name these keys, on all servers."""
    name = "_443._tcp.guarded.example.test"
    lab.powerdns.replace("example.test", name, [f"3 1 1 {digest}" for digest in digests], record_type="TLSA")
    lab.powerdns.replace("example.test", "guarded.example.test", ["192.0.2.1"], record_type="A")
