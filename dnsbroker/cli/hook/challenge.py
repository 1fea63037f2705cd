"""What all clients' words have in common: names, dns-01 values, and the error for a call that is none of them.

Its rule: a call is right as a whole, or nothing comes of it. A name may have a dot at its end, ``*.`` before it, and
any case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dnsbroker.cli.hook.ancestry import client
from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.names import challenge_name, owner

_UNCHANGED = "pass on what the client passes, unchanged"
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Declined:
    """The client is to try another way: ``reason`` is for who asks."""

    reason: str


def wrong(message: str, hint: str) -> ConfigError:
    """The error for a call that cannot be meant."""
    error = ConfigError(message, hint=hint)
    error.kind = "usage"
    return error


def counted(arguments: Sequence[str], names: str, hook: str) -> Sequence[str]:
    """``arguments``, where there is one for each of ``names`` (in one string); else raises ConfigError."""
    if len(arguments) != len(names.split()):
        raise wrong(f"{hook} takes {names}, and was given {amount(arguments)}", _UNCHANGED)
    return arguments


def amount(arguments: Sequence[str]) -> str:
    """How many ``arguments`` there are, in words."""
    return "1 argument" if len(arguments) == 1 else f"{len(arguments)} arguments"


def place_of(identifier: str, what: str) -> str:
    """The owner name for ``identifier``, which the certificate is to name. Raises ConfigError that tells ``what``."""
    _check_given(identifier, what)
    try:
        return challenge_name(identifier)
    except NameInvalid as error:
        raise wrong(f"{what}: {error.message}", "only a host's or domain's name is validated through DNS") from error


def place_at(name: str, what: str) -> str:
    """``name`` itself as an owner name: where the client has found that the value belongs. Raises as ``place_of``."""
    _check_given(name, what)
    try:
        return owner(name.removeprefix("*."))
    except NameInvalid as error:
        raise wrong(f"{what}: {error.message}", "it is the full name of the TXT record") from error


def _check_given(text: str, what: str) -> None:
    if not text:
        raise wrong(f"{what} is empty", _UNCHANGED)


def checked(value: str, what: str) -> str:
    """``value``, where it is one of dns-01: a SHA-256 in base64url (RFC 8555 section 8.4). Raises as ``place_of``."""
    if not _VALUE.fullmatch(value):
        reason = f"it has {len(value)} characters" if len(value) != 43 else "it has other letters"
        raise wrong(f"{what} is not 43 characters of base64url: {reason}", "have the client use the challenge dns-01")
    return value


def own_run(session: str, program: str, *, by_group: bool = True) -> str:
    """``session``, told apart from other runs of the same client; empty where that cannot be.

    By the process of the client, ``program``, else, ``by_group``, by the process group, in which is all that a client
    starts. The numbers are those of a PID namespace: another container has the same for somebody else, or for nobody.
    """
    from dnsbroker.journal.clients import ClientRun, pid_namespace  # which words that need nothing do not pay for

    pid = client(program)
    group = os.getpgrp() if by_group and not pid else 0  # 0 for everybody who was begun outside the namespace
    run = ClientRun(storable(session), pid_namespace(), group, pid)
    return run.session if run.namespace and (group or pid) else ""


def one_by_one(program: str) -> str:
    """The session of a client whose calls stand for themselves: it is only told whether that still lives."""
    return own_run(program, program, by_group=False)


def storable(text: str) -> str:
    """``text`` with what is no character in it escaped: arguments and environment may hold any octets."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
