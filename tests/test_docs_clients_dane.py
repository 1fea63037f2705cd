"""What the clients' pages say of DANE holds: configurations load, and the keys that are to be laid out are read."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pages
from authority import Authority
from dnsbroker import keys
from dnsbroker.config import Config
from dnsbroker.dane import Subjects
from dnsbroker.environment import variables
from dnsbroker.lineages import Lineages
from dnsbroker.tlsa.computing import of_key
from kept_elsewhere import Kept

CERTBOT = pages.section(pages.text("docs/certbot.md"), "## With DANE")
DEHYDRATED = pages.section(pages.text("docs/dehydrated.md"), "## With DANE")


def ran(script: str, directory: Path) -> None:
    """A page's commands, by the shell, in ``directory``."""
    subprocess.run(["sh", "-euc", script], cwd=directory, check=True, capture_output=True, timeout=60, env=variables())


def subjects(config: Config) -> Subjects:
    return Subjects(config, Lineages(config.state_dir, config.certificates, lambda _: None), lambda _: None)


def test_certbot_s_configuration_loads(tmp_path: Path) -> None:
    """Its daemon has copies, as the page asks for."""
    (example,) = pages.blocks(CERTBOT, "toml")
    (tmp_path / "dnsbroker.toml").write_text(example)
    config = Config.load(tmp_path / "dnsbroker.toml", environment={}, is_root=True)
    assert not config.broken
    (table,) = config.dane
    (name,) = table.certificate
    assert config.certificates[name].copies
    assert config.certificates[name].lineage


def test_a_key_laid_out_for_certbot_is_read_beside_the_present_chain(tmp_path: Path) -> None:
    """As the page makes it: the file beside has that key, and the request is for it."""
    (script,) = re.findall(r"^   ```sh\n(.*?)^   ```$", CERTBOT, re.MULTILINE | re.DOTALL)
    ran(textwrap.dedent(script), tmp_path)
    present = keys.generate("ecdsa-p256")
    (tmp_path / "fullchain.pem").write_text(Authority().issue(present, ["mail.example.org"]))
    files = [str(tmp_path / name) for name in ("fullchain.pem", "next.pem")]
    tables = [{"endpoint": "smtp://mail.example.org", "certificate": files}]
    found = subjects(Config.from_dict({"state_dir": str(tmp_path / "state"), "dane": tables}))
    laid_out = (tmp_path / "next.key").read_text()
    publics = []
    for file in files:
        subject = found.read(file)
        assert subject.live is not None, subject.trouble
        publics.append(subject.live.leaf.public_key)
    assert publics == [keys.public_key_of(present), keys.public_key_of(laid_out)]
    assert keys.public_key_requested(keys.read_request(tmp_path / "next.csr").der) == publics[1]
    assert (tmp_path / "next.key").stat().st_mode & 0o077 == 0


def test_a_key_laid_out_for_dehydrated_comes_next(tmp_path: Path) -> None:
    """By the page's command, for nobody else's eyes."""
    (command,) = re.findall(r"`(\(umask 077; openssl .*\))`", DEHYDRATED)
    kept = Kept(tmp_path, "dehydrated")
    present = keys.generate("ecdsa-p256")
    kept.renew(present, Authority().issue(present, ["a.test"]))
    ran(command.replace("/var/lib/dehydrated/certs/example.org", str(kept.directory)), tmp_path)
    place = str(kept.directory)
    tables = [{"endpoint": "smtp://a.test", "certificate": place}]
    subject = subjects(Config.from_dict({"state_dir": str(tmp_path / "state"), "dane": tables})).read(place)
    assert subject.next == (of_key(kept.next_key.read_text()),)
    assert kept.next_key.stat().st_mode & 0o777 == 0o600
