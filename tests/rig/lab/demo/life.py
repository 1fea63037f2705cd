"""The demonstration's fourth act: a renewal, with a TLSA record that names the key and a daemon that wants a copy.

Rule: as in the other acts; what the program did is read from the files and the name servers.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from lab.demo.acts import POWERDNS, Stage, openssl

_SETTINGS = """
[certificates."{zone}"]
names = ["{zone}", "*.{zone}"]
deploy_hooks = ["echo $RENEWED_DOMAINS >> {hooked}"]

[[certificates."{zone}".copies]]
to = "{copies}"
mode = "0640"
"""


def renew(stage: Stage) -> None:
    """A TLSA record for the live key, a renewal by force, and what became of key, record and files."""
    page, live = stage.page, stage.state / "live" / POWERDNS.zone
    copies, hooked = stage.directory / "daemon", stage.directory / "hooked"
    page.section("4. A renewal, where mail depends on the key")
    page.text(
        f"""Somebody has published a TLSA record, 3 1 1, for the key of {POWERDNS.zone}, and a daemon wants copies of
        its own. By default each renewal makes a new key; this one would stop every client that follows the record:"""
    )
    key = _key(live)
    record = f"3 1 1 {hashlib.sha256(key).hexdigest()}"
    stage.lab.powerdns.replace(POWERDNS.zone, f"_443._tcp.{POWERDNS.zone}", [record], record_type="TLSA")
    stage.lab.powerdns.notify(POWERDNS.zone)
    configured = stage.configuration.read_text().partition("[certificates.")[0]
    text = _SETTINGS.format(zone=POWERDNS.zone, copies=copies, hooked=hooked)
    stage.configuration.write_text(configured + text.lstrip())
    page.quoted([f'_443._tcp.{POWERDNS.zone}. TLSA "{record}"', *stage.shown(text).strip().splitlines()])
    before = (live / "cert.pem").read_bytes()
    done = stage.run("renew", "--force", POWERDNS.zone)
    page.claim(done.returncode == 0, "it ended with status 0", done.returncode)
    page.claim((live / "cert.pem").read_bytes() != before, "there is a new certificate")
    page.claim(_key(live) == key, "and it is for the key that the record names")
    page.claim("_443._tcp" in done.stderr, "which was said, with the record")
    page.claim(_same(live, copies), "the daemon's copies are the new certificate's")
    told = hooked.read_text().split() if hooked.exists() else []
    page.claim(
        sorted(told) == sorted((POWERDNS.zone, f"*.{POWERDNS.zone}")), "the hook ran once, and was told the names", told
    )


def _key(live: Path) -> bytes:
    """The public key of what is live, in DER."""
    pem = openssl(live, "x509", "-in", "cert.pem", "-noout", "-pubkey")
    return subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"],
        input=pem.encode(),
        capture_output=True,
        timeout=20,
        check=True,
    ).stdout


def _same(live: Path, copies: Path) -> bool:
    files = ("privkey.pem", "fullchain.pem", "combined.pem")
    return all(
        (copies / file).exists() and (copies / file).read_bytes() == (live / file).read_bytes() for file in files
    )
