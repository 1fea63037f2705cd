"""Secrets: where each is to be fetched, and who else may read it there.

A secret is fetched when it is revealed, not before. No error, and no repr, holds a secret or what a command printed on
its standard output; a file that others can read is refused as it is opened, whatever its name showed before.
"""

from __future__ import annotations

import functools
import os
import signal
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dnsbroker.config.kinds import kind, nearest
from dnsbroker.config.permissions import mending, other_readers
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Rejected, Secret

if TYPE_CHECKING:
    import subprocess

_LIMIT = 1024 * 1024
_COMMAND_SECONDS = 30.0
_TRY = "run it in a shell to see what it says"
_FORMS = (
    'write { file = "PATH" }, { env = "NAME" }, { command = ["PROGRAM", "ARGUMENT"] }, { credential = "NAME" },'
    " or a string"
)


@dataclass(frozen=True)
class SecretPlace:
    """What a secret needs from its surroundings.

    ``path`` and ``key`` say where it is configured, for errors; ``base`` is what a relative path starts from;
    ``status`` is that of the opened configuration file, None where there is none.
    """

    path: str
    key: str
    base: Path
    status: os.stat_result | None
    group: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def error(self, message: str, hint: str) -> ConfigError:
        """A ConfigError at this place."""
        return ConfigError(message, path=self.path, key=self.key, hint=hint)


def read_secret(value: object, place: SecretPlace) -> Secret:
    """The secret behind ``value``: a string, a table that names its source, or a function that returns it.

    Fetches nothing. Raises Rejected where ``value`` is none of these, ConfigError where it stands for all to read.
    """
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return _literal(value, place)
    if callable(value):
        function = cast("Callable[[], object]", value)
        return Secret("a function", lambda: _kept(function(), "the function", place))
    if not isinstance(value, Mapping):
        raise Rejected(f"should be a secret, not {kind(value)}", hint=_FORMS)
    return _sourced(value, place)


def _literal(value: str, place: SecretPlace) -> Secret:
    if place.status is not None and (readers := other_readers(place.status, place.group)):
        raise place.error(
            f"stands in a file that {readers} can read",
            f"{mending(place.path, place.status, place.group)}; or keep the secret in a file of its own: "
            '{ file = "PATH" }',
        )
    text = _kept(value, "the string", place)
    return Secret("the configuration", lambda: text)


def _sourced(value: Mapping[str, object], place: SecretPlace) -> Secret:
    sources = {"file": _file, "env": _environment, "command": _command, "credential": _credential}
    unknown = [source for source in value if source not in sources]
    if unknown:
        close = nearest(unknown[0], sources)
        raise Rejected(f"{unknown[0]} is no source of a secret; the nearest known is {close}", hint=_FORMS)
    if len(value) != 1:
        raise Rejected("should name exactly one source", hint=_FORMS)
    ((source, argument),) = value.items()
    return sources[source](argument, place)


def _text(argument: object, source: str) -> str:
    if not isinstance(argument, str) or not argument or "\0" in argument:
        raise Rejected(f"{source} should be a string that is not empty", hint=_FORMS)
    return argument


def _file(argument: object, place: SecretPlace) -> Secret:
    path = place.base / _text(argument, "file")
    return Secret(f"file {path}", lambda: _read(path, place, is_guarded=True))


def _environment(argument: object, place: SecretPlace) -> Secret:
    name = _text(argument, "env")

    def fetch() -> str:
        if name not in place.environment:
            raise place.error(f"environment variable {name} is not set", f"set {name}, or name another source")
        return _kept(place.environment[name], f"environment variable {name}", place)

    return Secret(f"environment variable {name}", fetch)


def _credential(argument: object, place: SecretPlace) -> Secret:
    name = _text(argument, "credential")
    if "/" in name or name in (".", ".."):
        raise Rejected(f"credential {name!r} is no name of a credential", hint='for example { credential = "pdns" }')

    def fetch() -> str:
        directory = place.environment.get("CREDENTIALS_DIRECTORY", "")
        if not directory:
            raise place.error(
                f"credential {name} needs systemd, and $CREDENTIALS_DIRECTORY is not set",
                f"run it in a unit with LoadCredential={name}:PATH, or name another source",
            )
        return _read(Path(directory) / name, place, is_guarded=False)

    return Secret(f"credential {name}", fetch, credential=name)


def _command(argument: object, place: SecretPlace) -> Secret:
    if not isinstance(argument, list | tuple) or not argument or not all(isinstance(word, str) for word in argument):
        raise Rejected("command should be an array of strings", hint='for example { command = ["pass", "show", "x"] }')
    words = [str(word) for word in argument]
    # Kept once fetched: a password manager may take seconds, or ask for a touch, each time.
    fetch = functools.cache(lambda: _kept(_run(words, place), f"command {words[0]}", place))
    return Secret(f"command {words[0]}", fetch, command=words[0])


def _run(words: list[str], place: SecretPlace) -> bytes:
    """What the command prints. In a session of its own it has no terminal to ask on, and ends with all it started."""
    import subprocess

    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(place.environment) or None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise place.error(f"command {words[0]} cannot be run: {reason(error)}", _TRY) from error
    with process:
        printed = _printed(process)
    if printed is None:
        message = f"command {words[0]} did not end within {_COMMAND_SECONDS:g} s"
        raise place.error(message, "it has no terminal and must not ask for anything; unlock its store first")
    output, complaint = printed
    if process.returncode:
        message = f"command {words[0]} failed with status {process.returncode}{_said(complaint)}"
        raise place.error(message, _TRY)
    return output


def _printed(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes] | None:
    """Standard output and error of the process once it has ended; None where it had to be ended, with its children."""
    from subprocess import TimeoutExpired

    try:
        return process.communicate(timeout=_COMMAND_SECONDS)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        if not isinstance(error, TimeoutExpired):
            raise
    return None  # not raised from within, for that exception holds what was printed


def _said(complaint: bytes) -> str:
    """The last line of a command's standard error, printable."""
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    text = "".join(char if char.isprintable() else " " for char in lines[-1]) if lines else ""
    return f": {text[:200]}" if text else ""


def reason(error: Exception) -> str:
    """Why the operating system refused, in its own words."""
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _read(path: Path, place: SecretPlace, *, is_guarded: bool) -> str:
    """The secret in the file; what is judged is the file that was opened, so that no exchange slips in between."""
    try:
        with open(path, "rb", opener=_opened) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise place.error(f"secret file {path} is no regular file", "name the file that holds the secret")
            if is_guarded and (readers := other_readers(status, place.group)):
                message = f"secret file {path} can be read by {readers}"
                raise place.error(message, mending(str(path), status, place.group))
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise place.error(f"secret file {path} cannot be read: {reason(error)}", _cure(path, error)) from error
    if len(content) > _LIMIT:
        raise place.error(f"secret file {path} is too long for a secret", "name the file that holds the secret alone")
    return _kept(content, f"secret file {path}", place)


def _opened(path: str, flags: int) -> int:
    """Opened without waiting, as a FIFO would for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _cure(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"run dnsbroker as the owner of {path}, or let secrets_group name a group that may read it"
    return f"create {path} with mode 600, or correct the path"


def _kept(content: object, source: str, place: SecretPlace) -> str:
    """The secret in ``content``, less line ends at its end."""
    text = _decoded(content) if isinstance(content, bytes) else content
    if not isinstance(text, str):
        found = "what is no text" if isinstance(content, bytes) else kind(content)
        raise place.error(f"{source} gave {found}", "a secret is text in UTF-8")
    text = text.rstrip("\r\n")
    if not text.strip():
        raise place.error(f"{source} is empty", "put the secret there, or name another source")
    return text


def _decoded(content: bytes) -> str | None:
    """The text; None where it is none, and not the exception that would hold the content."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
