"""The root of all errors, and those that are the caller's to mend: the configuration, names, files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime


class BrokerError(Exception):
    """The root: something failed, ``str(error)`` says what and who said so, ``hint`` what to do next."""

    kind = "error"

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.transient = transient

    def fields(self) -> dict[str, object]:
        """The facts beside message and hint, as JSON takes them."""
        return {
            name: _plain(value)
            for name, value in vars(self).items()
            if name not in ("message", "hint") and value not in (None, "", (), {})
        }


def _plain(value: object) -> object:
    """``value`` in the types that JSON knows."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(str(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


class ConfigError(BrokerError):
    """Configuration or arguments are wrong; nothing was contacted."""

    kind = "config"

    def __init__(self, message: str, *, path: str = "", key: str = "", hint: str = "") -> None:
        where = ": ".join(part for part in (path, key) if part)
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.path = path
        self.key = key


class NameInvalid(BrokerError):
    """``name`` is no domain name that can be used here."""

    kind = "name"

    def __init__(self, name: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{name!r} is not a usable name: {reason}", hint=hint)
        self.name = name
        self.reason = reason


class PemInvalid(BrokerError):
    """A key or a certificate is not what it should be: ``what`` names it, ``reason`` says why."""

    kind = "pem"

    def __init__(self, what: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{what}: {reason}", hint=hint)
        self.what = what
        self.reason = reason


class StoreError(BrokerError):
    """A file or the journal below ``state_dir`` cannot be read or written."""

    kind = "store"

    def __init__(self, message: str, *, path: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
