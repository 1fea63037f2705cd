"""docs/deployment.md: its tables, numbers and examples, held to the code."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pages
from deployed_host import AUTHORITY, KEY, Host, certificate
from dnsbroker.config import Config
from dnsbroker.deploying import commands, hooks, looking, units
from dnsbroker.deploying.hooks import run_hook
from dnsbroker.lineages import read
from dnsbroker.store import archive
from kept_elsewhere import CLIENTS, Kept

PAGE = pages.text("docs/deployment.md")


def test_every_configuration_shown_loads(tmp_path: Path) -> None:
    """As it stands on the page."""
    examples = pages.blocks(PAGE, "toml")
    assert len(examples) >= 3
    for example in examples:
        (tmp_path / "dnsbroker.toml").write_text(example)
        config = Config.load(tmp_path / "dnsbroker.toml", environment={}, is_root=True)
        assert not config.broken
        assert set(config.certificates) == {"example.org"}


def test_the_variables_of_hooks_are_the_program_s() -> None:
    """Each by its name, and no other."""
    table = pages.rows(pages.section(PAGE, "## Hooks"))
    assert [pages.words(row[0]) for row in table] == [
        [commands.LINEAGE],
        [commands.RENEWED],
        [commands.FAILED],
        [commands.CERTIFICATE],
    ]


def test_the_keys_named_are_configuration_keys() -> None:
    """Those of the first table, in the order in which they matter."""
    keys = [
        word for row in pages.rows(pages.section(PAGE, "## What happens, and when")) for word in pages.words(row[3])
    ]
    assert keys == [
        *("pre_hooks", "owner", "group", "mode", "copies"),
        *("deploy_hooks", "reload", "post_hooks", "verify"),
    ]
    assert all(f"| `{key}` |" in pages.text("docs/configuration.md") for key in keys)


def test_the_numbers_are_the_program_s() -> None:
    """Limits that a person may run into."""
    told = " ".join(PAGE.split())
    assert f"the last {hooks.MOST_OUTPUT // 1024} KiB" in told
    assert f"longer than {units.PATIENCE:.0f} s" in told
    assert f"for up to {looking.PATIENCE:.0f} s" in told
    assert archive.KEPT == 5
    assert "the last five, and whatever was written in the thirty days before" in told


def test_the_directories_of_other_clients_are_where_they_are_looked_for(tmp_path: Path) -> None:
    """Each client by its directory and its key, as the page has them."""
    rows = pages.rows(pages.section(PAGE, "## Certificates of another client"))
    told = {row[0]: (pages.words(row[1]), pages.words(row[2])[0]) for row in rows}
    assert tuple(told) == CLIENTS
    for client, (places, key) in told.items():
        for index, place in enumerate(places[:2]):
            home = place.replace("NAME", "a.test").replace("ALIAS", "alias")
            if home != "*":
                kept = Kept(tmp_path / client / str(index), client, home)
                kept.renew(KEY, AUTHORITY.issue(KEY, ["a.test"]))
                found = read(kept.directory)
                assert found is not None
                assert (found.client, found.key_pem) == (client, KEY)
                assert str(found.key).endswith(f"/{key.replace('NAME', 'a.test')}")


def test_the_hook_shown_makes_what_it_says(tmp_path: Path) -> None:
    """With a real certificate, and openssl; nobody else may read what it made."""
    (example,) = pages.blocks(PAGE, "sh")
    script = example.replace("/etc/daemon", str(tmp_path))
    host = Host(tmp_path)
    lineage = host.issued(certificate(), 1)
    host.journal.close()
    end = asyncio.run(run_hook(script, {commands.LINEAGE: str(lineage.path)}, 30.0))
    assert end.succeeded, end.output
    made = tmp_path / "tls.p12"
    assert made.stat().st_mode & 0o777 == 0o600
    told = subprocess.run(
        ["openssl", "pkcs12", "-in", made, "-passin", "pass:", "-nodes"], capture_output=True, text=True, check=True
    )
    assert "BEGIN PRIVATE KEY" in told.stdout
    assert told.stdout.count("BEGIN CERTIFICATE") == 2
