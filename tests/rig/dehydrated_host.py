"""The real dehydrated with a directory of its own, and a hook in front of dnsbroker's that notes each call.

Rule: the hook passes every call on as it came; what goes wrong besides is said by the test, in shell, at a word of its
choice. Refused: judging.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.pebble import Pebble
from lab.processes import executable, with_environment
from program import DNSBROKER, Ran

HOOK = DNSBROKER.with_name("dnsbroker-hook")
SECONDS = 300
#: What keeps a run short: small keys.
QUICK = ("KEYSIZE=2048", "KEY_ALGO=prime256v1")


@dataclass(frozen=True)
class Call:
    """One call of the hook: its words, and the exit status that dehydrated was told."""

    words: tuple[str, ...]
    status: int

    @property
    def name(self) -> str:
        """The hook's name."""
        return self.words[0]


class Dehydrated:
    """A dehydrated whose base directory is ``home``.

    ``domains`` are the lines of domains.txt, ``settings`` those of its configuration beside the usual ones;
    ``configuration`` is dnsbroker's.
    """

    def __init__(
        self, home: Path, ca: Pebble, configuration: Path, *domains: str, settings: Sequence[str] = ()
    ) -> None:
        self.home, self._ca, self._configuration = home, ca, configuration
        self.certs, self._calls = home / "certs", home / "calls"
        self._calls.mkdir(parents=True)
        (home / "domains.txt").write_text("".join(f"{line}\n" for line in domains))
        self.configure(*settings)
        self.interfere({})

    def configure(self, *settings: str) -> None:
        """Write ``config`` anew."""
        usual = [f"CA={self._ca.url}", "CHALLENGETYPE=dns-01", f"HOOK={self.home / 'hook'}", *QUICK]
        lines = [*usual, f"export DNSBROKER_CONFIG={self._configuration}", *settings]
        (self.home / "config").write_text("".join(f"{line}\n" for line in lines))

    def interfere(self, before: Mapping[str, str], after: Mapping[str, str] | None = None) -> None:
        """From now on the hook does something else before, or after, it passes on a call of that name.

        In shell, with ``$HOOK`` and ``$DNSBROKER`` for our programs.
        """
        script = (
            "#!/bin/sh\n"
            f'number=$(ls {self._calls} | wc -l); noted={self._calls}/$(printf %04d "$number")\n'
            'printf "%s\\0" "$@" >"$noted"\n'
            f"HOOK={HOOK} DNSBROKER={DNSBROKER}\n"
            f"{_cases(before)}"
            '"$HOOK" "$@"\nstatus=$?\n'
            f"{_cases(after or {})}"
            'echo "$status" >>"$noted"\nexit "$status"\n'
        )
        (self.home / "hook").write_text(script)
        (self.home / "hook").chmod(0o755)

    def break_curl(self, pattern: str) -> None:
        """The next request whose words match ``pattern`` fails, as if there were no way to the CA."""
        here = self.home / "bin"
        here.mkdir(exist_ok=True)
        script = f'#!/bin/sh\ncase " $* " in\n{pattern}) rm {here}/broken 2>/dev/null && exit 7 ;;\nesac\n'
        (here / "curl").write_text(f'{script}exec {executable("curl")} "$@"\n')
        (here / "curl").chmod(0o755)
        (here / "broken").touch()

    def command(self, *arguments: str) -> list[str | Path]:
        """How dehydrated is called."""
        path = f"{self.home / 'bin'}:{os.defpath}"
        environment = {"CURL_CA_BUNDLE": str(self._ca.ca_file), "PATH": path, "TMPDIR": str(self.home)}
        return with_environment(environment, ["dehydrated", "--config", self.home / "config", *arguments])

    def __call__(self, *arguments: str) -> Ran:
        """Run it to its end."""
        done = subprocess.run(
            self.command(*arguments or ["--cron"]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            start_new_session=True,  # as cron has it: its hook's calls belong together by their process group
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def registered(self) -> Self:
        """Itself, with a new account."""
        self("--register", "--accept-terms").succeeded()
        return self

    def another(self, home: Path, configuration: Path, *domains: str, settings: Sequence[str] = ()) -> Dehydrated:
        """One with the same account; the arguments are those of the class."""
        other = Dehydrated(home, self._ca, configuration, *domains, settings=settings)
        shutil.copytree(self.home / "accounts", home / "accounts")
        return other

    @property
    def calls(self) -> list[Call]:
        """The calls of its hook that have come back, in their order, but for those that only look for a broken one."""
        texts = [path.read_text() for path in sorted(self._calls.iterdir())]
        found = [_call(text) for text in texts if text.endswith("\n")]
        return [call for call in found if not call.name.startswith("this_hookscript_is_broken")]

    def called(self, name: str) -> list[Call]:
        """Its calls of one name."""
        return [call for call in self.calls if call.name == name]

    def forget(self) -> None:
        """Note calls from the beginning again; and no lock is left of a run that was killed."""
        for path in self._calls.iterdir():
            path.unlink()
        (self.home / "lock").unlink(missing_ok=True)


def _cases(actions: Mapping[str, str]) -> str:
    arms = "".join(f"{name}) {action} ;;\n" for name, action in actions.items())
    return f"case $1 in\n{arms}esac\n" if arms else ""


def _call(text: str) -> Call:
    *words, status = text.split("\0")
    return Call(tuple(words), int(status))
