"""A host with the real certbot, called as docs/certbot.md says, with the configuration of dnsbroker that stands there.

Rule: what the page says is taken as it stands, but for what the lab has in place of names, paths and addresses; the
plugin is the wheel that users get, unpacked where certbot's Python looks. Refused: helping certbot.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import pages
from daemons.systemctl import Units
from lab.configuration import Table, merged
from lab.processes import Process, with_environment
from lab.rig import Lab
from other_clients import providers
from program import DNSBROKER, Program, Ran

HOOK = DNSBROKER.with_name("dnsbroker-hook")
PAGE = "docs/certbot.md"
PLUGIN, HOOKS = "## The plugin", "## Manual hooks"
SECONDS = 120

#: Debian's, and the newest: the one in the environment of the tests.
PROGRAMS = {"debian": Path("/usr/bin/certbot"), "newest": Path(sys.executable).with_name("certbot")}


def unpacked_plugin(directory: Path) -> Path:
    """The plugin's wheel, built and unpacked below ``directory``; gives back what goes on certbot's path."""
    source = pages.ROOT / "packaging" / "certbot-dns-dnsbroker"
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(words, cwd=source, check=True, capture_output=True, timeout=SECONDS)
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, to all that it has started and to what they have, as systemd does."""
    for each in (pid, *_started_by(pid)):
        with suppress(ProcessLookupError):
            os.kill(each, number)


def _started_by(pid: int) -> list[int]:
    children = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _parent_of(path) == pid]
    return [*children, *(each for child in children for each in _started_by(child))]


def _parent_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return -1


class Host:
    """A certbot of one kind (a key of :data:`PROGRAMS`) and a dnsbroker, with all that is theirs in ``home``.

    ``name`` is what the page's example.org stands for; ``site`` is where the plugin is; ``configuration`` is merged
    into what the page shows of dnsbroker's.
    """

    def __init__(
        self, lab: Lab, home: Path, kind: str, name: str, site: Path, configuration: Table | None = None
    ) -> None:
        self.lab, self.home, self.kind, self.name, self._site = lab, home, kind, name, site
        (home / "bin").mkdir(parents=True)
        for program in (DNSBROKER, HOOK):
            (home / "bin" / program.name).symlink_to(program)
        self.units = Units(home / "units")
        self.dnsbroker = Program(home / "dnsbroker.toml")
        self.dnsbroker.configuration.touch(mode=0o600)
        self.configure(configuration or {})

    def configure(self, configuration: Table) -> None:
        """Write dnsbroker's configuration anew."""
        (shown,) = pages.blocks(pages.section(pages.text(PAGE), "## Our side"), "toml")
        text = shown.replace("/etc/letsencrypt", str(self.home / "config")).replace("example.org", self.name)
        page = {"certificates": tomllib.loads(text)["certificates"], "providers": providers(self.lab, PAGE)}
        table = merged(page, configuration)
        # The tables of the lab's own configuration have other names, and would be second ones for the same zones.
        table["providers"] = {"powerdns": None, "bind": None, **cast(Table, table["providers"])}
        self.dnsbroker.configuration.write_text(self.lab.config(self.dnsbroker.state, overrides=table))

    def certificate(self, name: str = "") -> Path:
        """The directory of a certificate that certbot keeps; default the one of the host's own name."""
        return self.home / "config" / "live" / (name or self.name)

    @property
    def log(self) -> str:
        """What certbot wrote down of its last run."""
        return (self.home / "logs" / "letsencrypt.log").read_text()

    def interfere(self, *lines: str) -> None:
        """From now on these lines of shell are run before each call of the hook, with its words and ``$number``."""
        hook = self.home / "bin" / HOOK.name
        hook.unlink()
        counted = f"echo >>{self.home}/calls\nnumber=$(wc -l <{self.home}/calls)"
        hook.write_text("\n".join(("#!/bin/sh", counted, *lines, f'exec {HOOK} "$@"', "")))
        hook.chmod(0o755)

    def obtain(self, header: str, *more: str, name: str = "") -> Ran:
        """Run the page's command below ``header``, with ``more`` words at its end, perhaps for another ``name``."""
        return self._ran(self._obtaining(header, *more, name=name))

    def _obtaining(self, header: str, *more: str, name: str = "") -> Sequence[str | Path]:
        text = pages.blocks(pages.section(pages.text(PAGE), header), "sh")[-1]
        assert text.startswith("certbot certonly ")
        account = f"-n --agree-tos --register-unsafely-without-email --server {self.lab.pebble.url}"
        text = text.replace("certbot", f"exec {self._certbot} {account}", 1)  # exec: a signal is for certbot
        text = text.replace("/usr/local/bin/", f"{self.home / 'bin'}/").replace("example.org", name or self.name)
        return self._calling("sh", "-euc", text.rstrip() + ' "$@"', "sh", *more)

    def __call__(self, *words: str) -> Ran:
        """Run certbot with these words."""
        return self._ran(self._calling(*self._certbot.split(), "-n", *words))

    @contextmanager
    def started(self, header: str, *more: str) -> Iterator[Process]:
        """The page's command, under way; at the end it is killed with all that it has started."""
        process = Process(self.kind, self._obtaining(header, *more), self.home / "output")
        try:
            yield process
        finally:
            send(process.pid, signal.SIGKILL)
            process.stop(0)

    def _ran(self, words: Sequence[str | Path]) -> Ran:
        """Run ``words`` to their end."""
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            start_new_session=True,  # as cron has it: its hooks' calls belong together by their process group
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @property
    def _certbot(self) -> str:
        places = " ".join(f"--{kind}-dir={self.home / kind}" for kind in ("config", "work", "logs"))
        return f"{PROGRAMS[self.kind]} {places}"

    def _calling(self, *words: str) -> list[str | Path]:
        """``words`` in the environment of this host."""
        environment = {
            "PATH": f"{self.home / 'bin'}:{self.home / 'units'}:{os.defpath}",
            "PYTHONPATH": str(self._site),
            "DNSBROKER_CONFIG": str(self.dnsbroker.configuration),
            "REQUESTS_CA_BUNDLE": str(self.lab.pebble.ca_file),
        }
        return with_environment(environment, words)
