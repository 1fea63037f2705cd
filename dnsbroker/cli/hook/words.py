"""The command line of ``dnsbroker-hook``: options, then the word that tells the client, then what the client passes.

Its rule: options stand before the word; whatever follows it is the client's and may begin with ``-``. Nothing that
parses command lines is imported: a client calls this program many times a day for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dnsbroker import __version__
from dnsbroker.cli import streams
from dnsbroker.cli.hook import CLIENTS, is_unneeded, meant
from dnsbroker.cli.options import Options

HELP = """\
Usage: dnsbroker-hook [OPTIONS] WORD [ARGUMENT]...

  What another ACME client calls as its hook. The client is told by the word:

  certbot     certbot-auth, certbot-cleanup, certbot-deploy
  dehydrated  its hooks' names, such as deploy_challenge; unknown ones are
              accepted
  lego        present, cleanup
  uacme       begin, done, failed
  acme.sh     add, rm

Options:
  --no-wait        Return once values are written; the client waits.
  --ignore SERVER  Do not wait for this name server (name or address).
  --version        Show the version and exit.
  --config PATH    The configuration file.
  --json           Print events as JSON, one object a line; the last is the
                   result.
  -q, --quiet      Print nothing when all is well.
  -v               Tell more; -vv tells everything.
  -h, --help       Show this message and exit.

  Examples:
    certbot certonly --manual --preferred-challenges dns \\
        --manual-auth-hook 'dnsbroker-hook certbot-auth' \\
        --manual-cleanup-hook 'dnsbroker-hook certbot-cleanup' -d example.org
    EXEC_PATH=/usr/local/bin/dnsbroker-hook lego --dns exec -d example.org run
"""
_HINT = "`dnsbroker-hook --help` shows how it is called"


class _Wrong(Exception):
    """The command line cannot be meant."""


class _Line:
    """A command line, read up to its word."""

    def __init__(self) -> None:
        self.options = Options(terse=True)
        self.wait = True
        self.ignore: list[str] = []
        self.answer = ""
        self.rest: list[str] = []

    def read(self, given: Sequence[str]) -> None:
        """Take ``given``. Raises _Wrong."""
        self.rest = list(given)
        while self.rest and self.rest[0].startswith("-") and not self.answer:
            self._take(self.rest.pop(0))

    def _take(self, option: str) -> None:
        options = self.options
        match option.split("=", 1) if option.startswith("--") else [option]:
            case ["--config", *path]:
                options.config = self._argument("--config", path)
            case ["--ignore", *server]:
                self.ignore.append(self._argument("--ignore", server))
            case ["--json"]:
                options.json = True
            case ["-q" | "--quiet"]:
                options.quiet = True
            case ["--no-wait"]:
                self.wait = False
            case ["-h" | "--help"]:
                self.answer = HELP
            case ["--version"]:
                self.answer = f"dnsbroker-hook {__version__}\n"
            case [text] if text.strip("v") == "-" and text != "-":
                options.verbose += len(text) - 1
            case _:
                raise _Wrong(f"no such option {option}")

    def _argument(self, option: str, joined: Sequence[str]) -> str:
        """What belongs to ``option``: what is ``joined`` to it, else what follows. Raises _Wrong where neither is."""
        if not (joined or self.rest):
            raise _Wrong(f"option {option!r} requires an argument")
        return joined[0] if joined else self.rest.pop(0)


def run(given: Sequence[str]) -> int:
    """Do what ``given`` says; returns the exit status. No traceback reaches the client but of a defect, with -vv."""
    streams.prepare()
    line = _Line()
    try:
        line.read(given)
        return _answered(line)
    except _Wrong as error:
        from dnsbroker.cli.output import usage_failed

        line.options.json = line.options.json or "--json" in given
        return usage_failed(line.options, "hook", str(error), hint=_HINT)
    except KeyboardInterrupt:
        return _ended(line.options, 130)
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets words
        from dnsbroker.cli.defects import admit

        return admit(error, line.options, "hook")


def _answered(line: _Line) -> int:
    if line.answer:
        streams.say(line.answer.rstrip(), sys.stdout)
        return 0
    word, *arguments = line.rest or [""]
    if is_unneeded(word):
        return _warned(line.options, word) if meant(word) else _ended(line.options, 0)
    client = CLIENTS.get(word)
    if client is None:
        raise _Wrong(f"no client has a hook {word!r}" if word else "no word says which client calls")
    from dnsbroker.cli.hook.calling import answer

    return answer(line.options, client, [word.removeprefix("certbot-"), *arguments], wait=line.wait, ignore=line.ignore)


def _warned(options: Options, word: str) -> int:
    """The end without any work, in words: a client that is not dehydrated would go on as if all were well."""
    from dnsbroker.cli.output import Output, Result
    from dnsbroker.clock import SystemClock
    from dnsbroker.events import Emitter

    output = Output(options, "hook")
    told = f"nothing is done: {word} is taken for a hook of dehydrated's; certbot's word is {meant(word)}"
    Emitter(SystemClock(), output.event)("warning", message=told)
    output.end(Result())
    return 0


def _ended(options: Options, status: int) -> int:
    """The end without any work."""
    if options.json:
        from dnsbroker.cli.output import Result, ended_early

        ended_early(options, "hook", Result(status=status))
    return status
