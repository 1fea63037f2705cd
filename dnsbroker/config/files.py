"""Files of the configuration: where they are looked for, and how one is read into tables.

A file is opened once; its permissions are those of what was opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dnsbroker.errors import ConfigError

SYSTEM_PATH = Path("/etc/dnsbroker/dnsbroker.toml")
SYSTEM_STATE = Path("/var/lib/dnsbroker")
_EXAMPLE = "dnsbroker config example prints a file that works"
_PLACE = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


@dataclass(frozen=True)
class Opened:
    """A file's tables, and its status as it was read."""

    path: Path
    tables: Mapping[str, object]
    status: os.stat_result


def configuration_path(path: Path | str | None, environment: Mapping[str, str], *, is_root: bool) -> tuple[Path, str]:
    """The configuration's absolute path, and the words that say why it is this one."""
    if path:
        return Path(path).absolute(), "named with --config"
    if named := environment.get("DNSBROKER_CONFIG"):
        return Path(named).absolute(), "named by $DNSBROKER_CONFIG"
    if is_root:
        return SYSTEM_PATH, "the place for root"
    place = _user_directory(environment, "XDG_CONFIG_HOME", ".config") / "dnsbroker" / "dnsbroker.toml"
    return place, f"the place for an ordinary user (for root it is {SYSTEM_PATH})"


def state_directory(environment: Mapping[str, str], *, is_root: bool) -> Path:
    """Where state is kept if the configuration does not say."""
    return SYSTEM_STATE if is_root else _user_directory(environment, "XDG_STATE_HOME", ".local/state") / "dnsbroker"


def _user_directory(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """A directory of the XDG specification, which ignores relative values."""
    named = Path(environment.get(variable, ""))
    return named if named.is_absolute() else _home(environment) / default


def _home(environment: Mapping[str, str]) -> Path:
    if home := environment.get("HOME"):
        return Path(home)
    import pwd

    return Path(pwd.getpwuid(os.geteuid()).pw_dir)


def read_configuration(path: Path, why: str) -> Opened:
    """The main file. Raises ConfigError, which says how to come by one where there is none."""
    try:
        return read_file(path)
    except ConfigError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        hint = f"{_EXAMPLE}; write it there, or name another file with --config or $DNSBROKER_CONFIG"
        raise ConfigError(f"there is no such file, {why}", path=str(path), hint=hint) from error.__cause__


def read_file(path: Path) -> Opened:
    """A TOML file. Raises ConfigError where it cannot be read or is not TOML, with line and column."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot be read: {words}", path=str(path), hint=_cure(path, error)) from error
    return Opened(path, _parsed(content, path), status)


def _cure(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"run dnsbroker as a user who may read it; ls -l {path} shows who may"
    return _EXAMPLE


def _parsed(content: bytes, path: Path) -> dict[str, object]:
    found = _tables(content)
    if isinstance(found, dict):
        return found
    if isinstance(found, int):
        line = content.count(b"\n", 0, found) + 1
        raise ConfigError(f"line {line}: not UTF-8 text", path=str(path), hint="save the file in UTF-8")
    raise _not_toml(found, path)


def _tables(content: bytes) -> dict[str, object] | int | str:
    """The tables, the octet that is no UTF-8, or the parser's words; no exception, for it would hold the content."""
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return error.start
    except tomllib.TOMLDecodeError as error:
        return str(error)


def _not_toml(message: str, path: Path) -> ConfigError:
    found = _PLACE.match(message)
    words, line, column = found.groups() if found else (message, None, None)
    where = f"line {line}, column {column}" if line else "at the end"
    hint = next((hint for begin, hint in _TOML_HINTS.items() if words.startswith(begin)), _EXAMPLE)
    return ConfigError(f"{where}: not TOML: {words[:1].lower()}{words[1:]}", path=str(path), hint=hint)


_TOML_HINTS = {
    "Cannot declare": "a table stands once in the file; put its keys together",
    "Cannot overwrite": "a key stands once in its table; take one of them out",
    "Expected '='": 'a line is key = value, or [table]; a key with dots or other signs needs quotes: "example.org"',
    "Expected newline": 'one key = value on each line; text needs quotes, and so does a mode: "0640"',
    "Illegal character": 'text needs quotes on both sides, on one line: key = "text"',
    "Invalid value": 'text needs quotes: key = "text"; a boolean is true or false',
    "Unclosed array": 'an array ends with a bracket: ["a", "b"]',
    "Unescaped": "a backslash is written twice, or the text stands in single quotes",
    "Unterminated string": 'text needs quotes on both sides: key = "text"',
}
