"""The demonstration's eighth act: a dehydrated that goes on ordering, with dnsbroker as its hook.

Rule: dehydrated is Debian's own, and configured as its page here says. Refused: helping it.
"""

from __future__ import annotations

from pathlib import Path

from dehydrated_host import HOOK, Dehydrated
from lab.configuration import to_toml
from lab.demo.acts import Stage, openssl
from lab.watched import Watch, Watched

NAME = "kept.bind.test"
CHALLENGE = f"_acme-challenge.{NAME}"
SETTINGS = (f'HOOK="{HOOK}"', 'HOOK_CHAIN="yes"')


def keep(stage: Stage) -> None:
    """Apex and wildcard by dehydrated; written, watched, cleaned and deployed by its hook."""
    page = stage.page
    page.section("8. With the client that one has: dehydrated")
    page.text(
        """dehydrated keeps account, order and files; its hook writes, waits and cleans up, and deploys what comes of
        it. This is what dehydrated's configuration says, beside the CA:"""
    )
    client = Dehydrated(
        stage.directory / "dehydrated", stage.lab.pebble, stage.configuration, f"{NAME} *.{NAME}", settings=SETTINGS
    ).registered()
    page.quoted(['CHALLENGETYPE="dns-01"', 'HOOK="/usr/local/bin/dnsbroker-hook"', 'HOOK_CHAIN="yes"'])
    page.text("And this comes to our own, for a daemon that wants files of its own:")
    copied = stage.directory / "another-daemon"
    table = {"lineage": str(client.certs / NAME), "copies": [{"to": str(copied)}]}
    stage.add(to_toml({"certificates": {NAME: table}}))
    page.command("dehydrated", "--cron")
    seen = Watch(stage.lab, CHALLENGE, seconds=120).run(client.command("--cron"), live=client.certs / NAME / "cert.pem")
    page.quoted(f"{line.at:5.2f}  {stage.shown(line.text)}" for line in seen.lines if line.text.strip())
    page.line()
    _judge(stage, client, copied, seen)


def _judge(stage: Stage, client: Dehydrated, copied: Path, seen: Watched) -> None:
    page = stage.page
    page.claim(seen.status == 0, "it ended with status 0", seen.status)
    asked = min(seen.asked, default=None)
    in_time = bool(seen.everywhere and asked and seen.everywhere <= asked)
    page.claim(in_time, "every server had both values before the CA asked", f"{seen.everywhere}, {asked}")
    left = {member: stage.lab.values(member, CHALLENGE) for member in stage.lab.domain_of(CHALLENGE).members}
    page.claim(not any(left.values()), "and none has them any more", left)
    shown = openssl(stage.directory, "x509", "-in", str(copied / "cert.pem"), "-noout", "-ext", "subjectAltName")
    page.claim(f"DNS:*.{NAME}" in shown, "the daemon's copy names the wildcard", shown)
    files = (client.certs / NAME / "privkey.pem", copied / "privkey.pem")
    same = len({path.read_bytes() if path.exists() else str(path) for path in files}) == 1
    page.claim(same, "with its key beside it")
    done = stage.run("issue", NAME)
    is_told = done.returncode == 2 and "dehydrated" in done.stderr
    page.claim(is_told, "and dnsbroker does not order it, and says who does: status 2", done.returncode)
