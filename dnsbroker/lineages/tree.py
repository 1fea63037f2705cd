"""Reading files that another client wrote, below the directory that is its own.

A link may lead anywhere inside it, as the clients' own links do, and nowhere else: what lies elsewhere is somebody
else's, and a key must not be taken from there unseen. Nothing is written, locked or changed.
"""

from __future__ import annotations

import errno
from pathlib import Path

from dnsbroker.errors import ConfigError


def read_text(path: Path) -> str:
    """The text of ``path``, which somebody named. Raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> ConfigError:
    """What the system said against reading ``path``, and what to do."""
    words = (error.strerror or str(error)).lower()
    if isinstance(error, PermissionError):
        hint = "run it as a user who may read it, most often root"
    else:
        hint = f"restore it from a copy; ls -l {path} shows what is there"
    return ConfigError(f"cannot be read: {words}", path=str(path), hint=hint)


class Tree:
    """The directory that is another client's own."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def real(self, path: Path) -> Path:
        """Where ``path`` leads. Raises ConfigError for what is not there, or lies outside."""
        try:
            found = path.resolve(strict=True)
        except FileNotFoundError as error:
            words = "is a link that leads nowhere" if path.is_symlink() else "is not there"
            raise ConfigError(words, path=str(path), hint="restore it from a copy, or issue that one anew") from error
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno != errno.ELOOP:
                raise unreadable(path, error) from error
            told, hint = "its links lead in a circle", f"ls -l {path} shows where it leads; let it lead to the file"
            raise ConfigError(f"cannot be read: {told}", path=str(path), hint=hint) from error
        if not found.is_relative_to(self._root):
            hint = f"put the file itself below {self._root}: what lies elsewhere is not taken unseen"
            raise ConfigError(f"leads to {found}, outside of {self._root}", path=str(path), hint=hint)
        return found

    def text(self, path: Path) -> str:
        """The text of the file. Raises ConfigError."""
        return read_text(self.real(path))
