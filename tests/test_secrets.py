import os
import signal
import stat
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dnsbroker.config import Config
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Secret, key
from dnsbroker.testing.memory import MemoryProvider

SECRET = "hunter2"


@dataclass(frozen=True)
class KeySettings:
    """One secret."""

    api_key: Secret = key(doc="The key.")


class Keyed(MemoryProvider):
    """An adapter that has a key."""

    Settings: ClassVar[type[Any]] = KeySettings


def given(value: object, environment: dict[str, str] | None = None, **top: object) -> Secret:
    """The secret from a program's tables."""
    tables = {**top, "providers": {"p": {"type": "keyed", "api_key": value}}}
    config = Config.from_dict(tables, environment=environment, adapters={"keyed": Keyed})
    secret: Secret = config.providers["p"].settings.api_key
    return secret


def configured(directory: Path, value: str, top: str = "", mode: int = 0o600) -> Secret:
    """The secret from a file of that mode."""
    path = directory / "c.toml"
    path.write_text(f"{top}\n[providers.p]\ntype = 'keyed'\napi_key = {value}\n")
    path.chmod(mode)
    config = Config.load(path, environment={}, is_root=False, adapters={"keyed": Keyed})
    secret: Secret = config.providers["p"].settings.api_key
    return secret


def kept(directory: Path, content: str | bytes = SECRET + "\n", mode: int = 0o600) -> Path:
    """A file with a secret."""
    path = directory / "key"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def refused(act: Callable[[], object]) -> ConfigError:
    """The error, which holds the secret nowhere: not in its words, and not in what a traceback prints."""
    with pytest.raises(ConfigError) as caught:
        act()
    printed = "".join(traceback.format_exception(caught.value))
    assert SECRET not in printed + str(caught.value) + caught.value.hint + repr(caught.value.fields())
    assert "[providers.p] api_key" in str(caught.value)
    assert "\n" not in str(caught.value) + caught.value.hint
    assert caught.value.hint
    return caught.value


def test_each_source_gives_its_secret(tmp_path: Path) -> None:
    """A string, a file, a variable, a command, a credential, and in a program a function."""
    path = kept(tmp_path)
    environment = {"KEY": SECRET, "CREDENTIALS_DIRECTORY": str(tmp_path), "PATH": "/usr/bin:/bin"}
    sources: list[object] = [
        SECRET,
        {"file": str(path)},
        {"env": "KEY"},
        {"command": ["printf", "%s\\n", SECRET]},
        {"credential": "key"},
        lambda: SECRET,
        Secret("elsewhere", lambda: SECRET),
    ]
    for source in sources:
        assert given(source, environment).reveal() == SECRET, source


def test_a_secret_shows_where_it_comes_from_and_nothing_else(tmp_path: Path) -> None:
    """Not in the repr of the settings, of the provider, or of the whole configuration."""
    for source in (SECRET, {"command": ["printf", SECRET]}, {"file": str(kept(tmp_path))}, {"env": "KEY"}):
        config = Config.from_dict(
            {"providers": {"p": {"type": "keyed", "api_key": source}}},
            environment={"KEY": SECRET},
            adapters={"keyed": Keyed},
        )
        assert config.providers["p"].settings.api_key.reveal() == SECRET
        assert SECRET not in repr(config)
        assert SECRET not in repr(config.providers["p"].settings.api_key.source)
        assert "<secret from " in repr(config)


def test_nothing_is_fetched_before_it_is_needed(tmp_path: Path) -> None:
    """Loading reads no file, runs no command, calls no function; revealing does."""
    mark = tmp_path / "ran"
    secret = given({"command": ["sh", "-c", f"echo {SECRET}; touch {mark}"]})
    assert not mark.exists()
    secret.reveal()
    assert mark.exists()
    later = given({"file": str(tmp_path / "key")})
    kept(tmp_path)
    assert later.reveal() == SECRET


def test_a_file_is_read_anew_each_time_and_a_command_run_once(tmp_path: Path) -> None:
    """A changed file holds at once; a password manager is not asked for every request."""
    secret = given({"file": str(kept(tmp_path))})
    assert secret.reveal() == SECRET
    kept(tmp_path, "changed")
    assert secret.reveal() == "changed"
    runs = tmp_path / "runs"
    secret = given({"command": ["sh", "-c", f"echo run >> {runs}; echo {SECRET}"]})
    assert [secret.reveal(), secret.reveal()] == [SECRET, SECRET]
    assert runs.read_text() == "run\n"


@pytest.mark.parametrize("content", [SECRET, SECRET + "\n", SECRET + "\r\n", SECRET + "\n\n"])
def test_line_ends_at_the_end_are_no_part_of_a_secret(tmp_path: Path, content: str) -> None:
    """Editors and echo add them."""
    assert given({"file": str(kept(tmp_path, content))}).reveal() == SECRET
    assert given(content).reveal() == SECRET


def test_what_stands_inside_a_secret_is_kept(tmp_path: Path) -> None:
    """Blanks and inner line ends may belong to it."""
    assert given({"file": str(kept(tmp_path, " a\nb \n"))}).reveal() == " a\nb "


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n", b"\r\n"])
def test_an_empty_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever the source, an empty one is a slip; a string is refused as the configuration is read."""
    text = content.decode()
    path = kept(tmp_path, content)
    environment = {"KEY": text, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    sources: list[object] = [{"file": str(path)}, {"env": "KEY"}, {"credential": "key"}, lambda: text]
    for source in sources:
        assert "is empty" in str(refused(given(source, environment).reveal))
    assert "is empty" in str(refused(lambda: given(text)))
    assert "is empty" in str(refused(given({"command": ["true"]}).reveal))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o664, 0o444, 0o646])
def test_a_file_that_everybody_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The hint is the very command that mends it, and after it the secret is read."""
    path = kept(tmp_path, mode=mode)
    secret = given({"file": str(path)})
    error = refused(secret.reveal)
    assert f"secret file {path} can be read by everybody (mode {mode:04o})" in str(error)
    assert error.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    assert secret.reveal() == SECRET


def test_a_file_that_a_group_can_read_is_refused_unless_it_is_the_group_for_secrets(tmp_path: Path) -> None:
    """secrets_group is that group's name, or its number."""
    path = kept(tmp_path, mode=0o640)
    group = str(path.stat().st_gid)
    error = refused(given({"file": str(path)}).reveal)
    assert "can be read by group" in str(error)
    assert error.hint == f"chmod 600 {path}"
    error = refused(given({"file": str(path)}, secrets_group="no-such-group").reveal)
    assert error.hint == f"chgrp no-such-group {path} && chmod 640 {path}"
    assert given({"file": str(path)}, secrets_group=group).reveal() == SECRET


def test_the_group_for_secrets_opens_no_file_to_everybody(tmp_path: Path) -> None:
    """Even where the group is right; the cure leaves the group its right."""
    path = kept(tmp_path, mode=0o644)
    group = str(path.stat().st_gid)
    error = refused(given({"file": str(path)}, secrets_group=group).reveal)
    assert "everybody" in str(error)
    assert error.hint == f"chgrp {group} {path} && chmod 640 {path}"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o620, 0o602])
def test_a_file_that_its_owner_alone_can_read_is_taken(tmp_path: Path, mode: int) -> None:
    """It is reading that is judged."""
    assert given({"file": str(kept(tmp_path, mode=mode))}).reveal() == SECRET


def test_a_hint_s_command_survives_odd_names(tmp_path: Path) -> None:
    """It can be pasted into a shell."""
    path = tmp_path / "the key"
    path.write_text(SECRET)
    path.chmod(0o644)
    assert refused(given({"file": str(path)}).reveal).hint == f"chmod 600 '{path}'"


def test_it_is_the_file_behind_a_link_that_is_judged(tmp_path: Path) -> None:
    """A link's own mode says nothing."""
    path = kept(tmp_path, mode=0o644)
    link = tmp_path / "link"
    link.symlink_to(path)
    refused(given({"file": str(link)}).reveal)
    path.chmod(0o600)
    assert given({"file": str(link)}).reveal() == SECRET


@pytest.mark.parametrize("name", ["missing", ".", "fifo", "/dev/null"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, name: str) -> None:
    """A FIFO without a writer would make the run hang."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    error = refused(given({"file": str(tmp_path / name)}).reveal)
    assert "cannot be read" in str(error) or "no regular file" in str(error)


def test_a_relative_path_starts_from_the_configuration_s_directory(tmp_path: Path) -> None:
    """Timers and shells run in different directories."""
    kept(tmp_path)
    assert configured(tmp_path, "{ file = 'key' }").reveal() == SECRET


def test_what_is_no_text_or_too_long_is_refused(tmp_path: Path) -> None:
    """A secret is text, and none is as long as a disk image."""
    assert "no text" in str(refused(given({"file": str(kept(tmp_path, b"\xff" + SECRET.encode()))}).reveal))
    assert "too long" in str(refused(given({"file": str(kept(tmp_path, SECRET * 200_000))}).reveal))


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_a_configuration_with_a_literal_secret_is_refused_if_everybody_can_read_it(tmp_path: Path, mode: int) -> None:
    """At once, not first when the secret is needed; the hint mends the configuration file."""
    error = refused(lambda: configured(tmp_path, f"'{SECRET}'", mode=mode))
    assert "stands in a file that everybody" in str(error)
    assert error.hint.startswith(f"chmod 600 {tmp_path / 'c.toml'};")
    assert configured(tmp_path, f"'{SECRET}'", mode=0o600).reveal() == SECRET


def test_a_configuration_with_a_literal_secret_may_be_read_by_the_group_for_secrets(tmp_path: Path) -> None:
    """And by no other."""
    group = tmp_path.stat().st_gid
    refused(lambda: configured(tmp_path, f"'{SECRET}'", mode=0o640))
    refused(lambda: configured(tmp_path, f"'{SECRET}'", f"secrets_group = '{group + 1}'", mode=0o640))
    assert configured(tmp_path, f"'{SECRET}'", f"secrets_group = '{group}'", mode=0o640).reveal() == SECRET


def test_a_configuration_without_a_literal_secret_may_be_read_by_everybody(tmp_path: Path) -> None:
    """Only the secret's own file is judged then."""
    kept(tmp_path)
    assert configured(tmp_path, "{ file = 'key' }", mode=0o644).reveal() == SECRET


def test_a_program_s_own_string_is_in_no_file(tmp_path: Path) -> None:
    """Nothing is judged where there is nothing to read."""
    assert given(SECRET).reveal() == SECRET


def test_a_credential_s_mode_is_systemd_s_affair(tmp_path: Path) -> None:
    """It may well be readable by a group."""
    kept(tmp_path, mode=0o444)
    assert given({"credential": "key"}, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).reveal() == SECRET


def test_a_credential_outside_of_systemd_says_so() -> None:
    """The hint is the line that the unit needs."""
    error = refused(given({"credential": "pdns"}, {}).reveal)
    assert "$CREDENTIALS_DIRECTORY is not set" in str(error)
    assert "LoadCredential=pdns:PATH" in error.hint


@pytest.mark.parametrize("name", ["../key", "a/b", ".", "..", ""])
def test_a_credential_s_name_leads_out_of_no_directory(name: str) -> None:
    """It is a name, not a path."""
    refused(lambda: given({"credential": name}))


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the environment that was handed over counts, not the process's own."""
    monkeypatch.setenv("KEY", SECRET)
    error = refused(given({"env": "KEY"}, {"HOME": "/"}).reveal)
    assert "environment variable KEY is not set" in str(error)


def test_a_command_that_fails_shows_its_complaint_and_never_its_output(tmp_path: Path) -> None:
    """What it wrote to standard output may be the secret."""
    script = f"echo {SECRET}; echo first >&2; printf 'no such \\033[1mentry\\n' >&2; exit 3"
    error = refused(given({"command": ["sh", "-c", script]}).reveal)
    assert "command sh failed with status 3: no such  [1mentry" in str(error)


def test_a_command_s_arguments_are_not_shown() -> None:
    """A token may be among them."""
    secret = given({"command": ["false", SECRET]})
    assert SECRET not in repr(secret)
    refused(secret.reveal)


def test_a_command_is_run_without_a_shell_a_terminal_or_input(tmp_path: Path) -> None:
    """Its words are passed on as they are, and it cannot ask."""
    assert given({"command": ["printf", "%s", "$HOME; *"]}).reveal() == "$HOME; *"
    refused(given({"command": ["cat"]}).reveal)
    script = "if (: < /dev/tty) 2>/dev/null; then echo terminal; else echo none; fi"
    assert given({"command": ["sh", "-c", script]}).reveal() == "none"


def test_a_command_has_the_environment_that_was_handed_over() -> None:
    """Not more."""
    environment = {"PATH": "/usr/bin:/bin", "KEY": SECRET}
    assert given({"command": ["sh", "-c", "echo $KEY$HOME"]}, environment).reveal() == SECRET


def test_a_command_that_does_not_end_is_ended_with_its_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After its time, and what it had printed is not shown."""
    monkeypatch.setattr("dnsbroker.config.secrets._COMMAND_SECONDS", 0.5)
    script = f"echo {SECRET}; sleep 600 & echo $! > {tmp_path}/child; wait"
    began = time.monotonic()
    error = refused(given({"command": ["sh", "-c", script]}).reveal)
    assert "did not end within 0.5 s" in str(error)
    assert error.__context__ is None
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        _until_gone(int((tmp_path / "child").read_text()))


def _until_gone(process: int) -> None:
    """Ask for the process until it is gone; whoever adopted it has to collect it first."""
    for _ in range(2_000_000):
        try:
            state = Path(f"/proc/{process}/stat").read_text()
        except FileNotFoundError:  # it may go between any two questions
            raise ProcessLookupError from None
        if ") Z " in state:
            raise ProcessLookupError
    os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("command", [["/no/such/program"], ["/"], ["a\0b"]])
def test_a_command_that_cannot_be_run_says_why(command: list[str]) -> None:
    """In the operating system's words."""
    assert "cannot be run: " in str(refused(given({"command": command}).reveal))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "should be a secret, not an integer"),
        (True, "should be a secret, not a boolean"),
        ([SECRET], "should be a secret, not an array"),
        ({}, "should name exactly one source"),
        ({"file": "a", "env": "B"}, "should name exactly one source"),
        ({"fle": SECRET}, "fle is no source of a secret; the nearest known is file"),
        ({"file": ""}, "file should be a string that is not empty"),
        ({"file": 5}, "file should be a string that is not empty"),
        ({"env": ""}, "env should be a string that is not empty"),
        ({"command": "pass show x"}, "command should be an array of strings"),
        ({"command": []}, "command should be an array of strings"),
        ({"command": ["a", 5]}, "command should be an array of strings"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(value: object, words: str) -> None:
    """It may be one in the wrong form, so only its kind is named."""
    error = refused(lambda: given(value))
    assert words in str(error)


def test_what_a_function_gives_must_be_text() -> None:
    """Its own errors are its own."""
    assert "the function gave an integer" in str(refused(given(lambda: 5).reveal))

    def fail() -> str:
        raise LookupError("vault sealed")

    with pytest.raises(LookupError, match="vault sealed"):
        given(fail).reveal()


def test_modes_are_judged_on_the_file_that_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange between looking and opening helps nobody: there is one opening, and its descriptor is asked."""
    path = kept(tmp_path)
    asked: list[int] = []
    true_fstat = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        asked.append(descriptor)
        path.rename(tmp_path / "old")  # as if somebody exchanged the file at this very moment
        kept(tmp_path, "exchanged", 0o644)
        return true_fstat(descriptor)

    monkeypatch.setattr("dnsbroker.config.secrets.os.fstat", fstat)
    secret = given({"file": str(path)})
    try:
        assert secret.reveal() == SECRET
    finally:
        monkeypatch.undo()
    assert asked
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
