"""The configuration in use, to which an import adds: tables at the end of its file, files beside it.

What is there is never changed: not a line of the file, which is written beside and renamed with its owner and mode, and
no file of a certificate. What would not load again is not written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dnsbroker.config import Config
from dnsbroker.config.files import configuration_path, read_file, state_directory
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.store import disk

_PRIVATE = 0o600


class Target:
    """The configuration at ``path`` (empty: where it is looked for), which need not be there; read inside ``alone``."""

    config: Config
    tables: Mapping[str, object]

    def __init__(self, path: str, environment: Mapping[str, str], *, is_root: bool) -> None:
        self._environment = environment
        self._is_root = is_root
        self.path = configuration_path(path, environment, is_root=is_root)[0]
        self.changed = False

    def _load(self) -> None:
        if self.path.exists():
            self.config = self._loaded(self.path)
            self.tables = read_file(self.path).tables
        else:
            state = state_directory(self._environment, is_root=self._is_root)
            self.config = Config.from_dict({"state_dir": str(state)}, environment=self._environment)
            self.tables = {}

    def _loaded(self, path: Path) -> Config:
        return Config.load(path, environment=self._environment, is_root=self._is_root)

    def has_table(self, name: str) -> bool:
        """Whether the file has a table of this name."""
        return name in self.tables

    def append(self, text: str) -> None:
        """Add ``text`` at the end of the file, or make it the whole of a new one. Raises ConfigError."""
        real = self.path.resolve()
        with _explained(real):
            before = real.read_bytes().decode() if real.exists() else ""
            gap = "\n" if before.endswith("\n") else "\n\n" if before else ""
            beside = real.with_name(f".{real.name}.new")
            beside.unlink(missing_ok=True)
            try:
                self._write(beside, before + gap + text)
                self._loaded(beside)
                beside.replace(real)
            except ConfigError as error:
                words = f"what would be added at its end does not load: {error.message}"
                raise ConfigError(
                    words, path=str(real), hint="add it by hand where it fits, then run it again"
                ) from None
            finally:
                with suppress(OSError):
                    beside.unlink(missing_ok=True)
            disk.sync_directory(real.parent)
        self.changed = True
        self._load()

    def add(self, name: str, text: str) -> Path:
        """Write the file ``name`` beside the configuration; one that is there stays as it is. Raises ConfigError."""
        path = self.path.parent / name
        with _explained(path):
            path.parent.mkdir(mode=0o755, exist_ok=True)
            if not path.exists():
                beside = path.with_name(f".{path.name}.new")
                beside.unlink(missing_ok=True)
                self._write(beside, text)
                beside.replace(path)
                disk.sync_directory(path.parent)
                self.changed = True
        return path

    def _write(self, path: Path, text: str) -> None:
        """A new file that those can read who can read the configuration."""
        if not self.path.exists():
            disk.write_new(path, text, _PRIVATE)
            return
        status = self.path.stat()
        owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else (-1, -1)
        disk.write_new(path, text, status.st_mode & 0o666, *owner)

    def add_secret(self, name: str, secret: str) -> Path:
        """Keep ``secret`` in the file ``name`` beside the configuration, for its owner alone. Raises ConfigError."""
        path = self.path.parent / name
        with _explained(path):
            if not path.exists():
                owner = self.path.stat().st_uid if self.path.exists() and os.geteuid() == 0 else -1
                disk.write_new(path, f"{secret}\n", _PRIVATE, owner)
                self.changed = True
            elif path.read_text(encoding="utf-8", errors="replace").strip() != secret:
                raise ConfigError("another secret is kept there", path=str(path), hint="move it away, and run it again")
        return path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other imports out, and make the directory of a first configuration. Raises ConfigError."""
        with ExitStack() as held:
            with _explained(self.path.parent):
                self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                held.enter_context(disk.locked(self.path.parent))
            self._load()
            yield


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        words = (getattr(error, "strerror", None) or str(error)).lower()
        hint = f"run it as a user who may write below {path.parent}, or name another configuration with --config"
        raise ConfigError(f"cannot be written: {words}", path=str(path), hint=hint) from error


def owner_note(config: Config) -> str:
    """What to do where ``state_dir`` is another user's than who has just written there; empty where it is not."""
    with suppress(OSError, KeyError, StoreError):
        status = config.state_dir.stat()
        if status.st_uid != os.geteuid():
            import pwd

            user = pwd.getpwuid(status.st_uid).pw_name
            return f"{config.state_dir} belongs to {user}: give it what is new with chown -R {user} {config.state_dir}"
    return ""
