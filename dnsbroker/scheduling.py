"""When nobody is there: the units by which systemd runs ``renew``, and the line by which cron does.

Its rule: text from a configuration and nothing else; the service may write what the configuration makes it write, and
no more. Refuses: writing a file, asking systemd, guessing where the program is.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnsbroker.config import Config
from dnsbroker.deploying import units as reloading
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Secret, secrets_of

_PLAIN = re.compile(r"[\w@%+=:,./-]+")
_CREDENTIAL = re.compile(r"[A-Za-z0-9._@%+=,~-]{1,255}")
#: What the authority and a second attempt may take beside DNS and the hooks, in seconds.
_AUTHORITY_SECONDS = 3600.0
_SUCCESSES = "5 6"  # what waits for its time, and what gc will withdraw, is no failure of the service
#: Where mail, web servers' own tests and daemons' controls write; a hook that needs more says so in a drop-in.
_WRITTEN_BY_HOOKS = "-/run -/var/log -/var/spool"

_HEAD = """\
# Made by `dnsbroker config systemd`, and made anew by it when the configuration changes.
# Changes of your own belong in a drop-in: systemctl {user}edit {name}

"""

# UMask: files are for their owner, and directories can be passed through, as the program's own are.
# No RestrictSUIDSGID: a directory below one with the set-group-id bit keeps that bit. No StateDirectory: it would
# set mode and owner of the state directory anew at each start, and with them void its access control lists.
_SANDBOX = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
LockPersonality=yes
UMask=0066
"""

_WITHOUT_COMMANDS = """\
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""

_ABOUT_COMMANDS = """\
# The configuration's own commands run in here too: they may write below the directories named here and nowhere else,
# sudo does not work (runuser does), and what they create is for its owner alone. A command that writes elsewhere
# needs a drop-in with the lines
#   [Service]
#   ReadWritePaths=/its/directory
"""

_TIMER = """\
[Unit]
Description=Renew certificates every hour

[Timer]
OnCalendar=hourly
RandomizedDelaySec=45min
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class Unit:
    """One file for systemd: its ``name`` and its ``text``."""

    name: str
    text: str


def units(config: Config, *, program: Sequence[str], is_root: bool) -> tuple[Unit, Unit]:
    """The service and the timer for ``config``, which was read from a file: of the system for root, else of the user.

    ``program`` is the absolute command line by which dnsbroker is called. Raises ConfigError for the name of a
    credential that systemd does not take (systemd.exec(5)).
    """
    lines = _system_lines(config, program) if is_root else _user_lines(config, program)
    user = "" if is_root else "--user "
    service = _HEAD.format(user=user, name="dnsbroker.service") + "\n".join(lines) + "\n"
    timer = _HEAD.format(user=user, name="dnsbroker.timer") + _TIMER
    return Unit("dnsbroker.service", service), Unit("dnsbroker.timer", timer)


def cron_line(config: Config, *, program: Sequence[str], user: str, minute: int) -> str:
    """The line for a file in ``/etc/cron.d``: hourly at ``minute`` as ``user``; quiet, for cron mails what is said."""
    command = shlex.join((*program, *_arguments(config), "-q", "renew"))
    # crontab(5): a bare percent sign ends the command.
    return f"{minute} * * * *  {user}  {command}".replace("%", "\\%")


def has_credentials(config: Config) -> bool:
    """Whether a secret comes as a credential, which cron has not."""
    return any(secret.credential for secret in _secrets(config))


def _arguments(config: Config) -> tuple[str, ...]:
    return ("--config", str(config.path))


def _system_lines(config: Config, program: Sequence[str]) -> Iterator[str]:
    yield from ("[Unit]", "Description=Renew certificates")
    yield from ("Wants=network-online.target", "After=network-online.target", "")
    yield from _service_lines(config, program, credential_store="")
    copies = _outermost(_copied_to(config))
    # Made before the sandbox closes, for what is not there cannot be opened in it; what is there stays as it is.
    yield f"ExecStartPre=+mkdir -p -m 0711 -- {_argument(_normal(config.state_dir))}"
    if copies:
        yield f"ExecStartPre=+mkdir -p -m 0755 -- {' '.join(map(_argument, copies))}"
    yield ""
    runs_commands = _runs_commands(config)
    if runs_commands:
        yield _ABOUT_COMMANDS.rstrip()
    metrics = [_normal(config.metrics.parent)] if config.metrics else []
    # A dash lets a path be missing: until it is made above, or for good, where nobody collects metrics.
    yield from (f"ReadWritePaths={_word(f'-{path}')}" for path in (_normal(config.state_dir), *copies, *metrics))
    if runs_commands:
        yield f"ReadWritePaths={_WRITTEN_BY_HOOKS}"
    yield (_SANDBOX if runs_commands else _SANDBOX + _WITHOUT_COMMANDS).rstrip()


def _user_lines(config: Config, program: Sequence[str]) -> Iterator[str]:
    """Without the sandbox, for which a user's own systemd needs what many kernels forbid."""
    yield from ("[Unit]", "Description=Renew certificates", "")
    yield from _service_lines(config, program, credential_store="%E/credstore/")
    yield from ("NoNewPrivileges=yes", "UMask=0066")


def _service_lines(config: Config, program: Sequence[str], *, credential_store: str) -> Iterator[str]:
    first, *rest = program
    # Without -q: the journal of systemd is to hold the story of a failure, which -q leaves out.
    words = [_word(first), *map(_argument, (*rest, *_arguments(config), "renew"))]
    yield from ("[Service]", "Type=oneshot", f"ExecStart={' '.join(words)}", f"SuccessExitStatus={_SUCCESSES}")
    yield f"TimeoutStartSec={_seconds(config)}"
    yield "KillMode=mixed"  # so that a hook under way is ended by us, and not beside us
    yield "Environment=HOME=%h"
    yield f"EnvironmentFile=-{_literal(str(Path(str(config.path)).with_name('environment')))}"
    for name in dict.fromkeys(secret.credential for secret in _secrets(config) if secret.credential):
        _check_credential(name, config)
        place = f":{credential_store}{_literal(name)}" if credential_store else ""  # systemd itself has /etc/credstore
        yield f"LoadCredential={_literal(name)}{place}"


def _seconds(config: Config) -> int:
    """After that a run hangs: it is stopped, and the next one cleans up after it."""
    hooks = sum(
        item.hook_timeout * (len(item.pre_hooks) + len(item.deploy_hooks) + len(item.post_hooks))
        for item in config.certificates.values()
    )
    reloads = len({unit for item in config.certificates.values() for unit in item.reload})
    units_take = reloads * (reloading.BRIEF + reloading.PATIENCE)
    return round(_AUTHORITY_SECONDS + config.propagation.timeout + _settling(config) + hooks + units_take)


def _settling(config: Config) -> float:
    """Seconds for which the last record of a run settles."""
    if config.propagation.settle is not None:
        return config.propagation.settle
    return max((provider.adapter.default_settle for provider in config.providers.values()), default=0.0)


def _secrets(config: Config) -> Iterator[Secret]:
    settings = (*config.known_accounts.values(), *(provider.settings for provider in config.providers.values()))
    for each in settings:
        yield from secrets_of(each)


def _check_credential(name: str, config: Config) -> None:
    if not _CREDENTIAL.fullmatch(name):
        hint = "name it with letters and digits of ASCII, and with . _ - between them"
        raise ConfigError(
            f"credential {name!r} has a name that systemd does not take", path=str(config.path), hint=hint
        )


def _runs_commands(config: Config) -> bool:
    """Whether commands of the administrator's own are run, which may need what dnsbroker itself does not."""
    hooks = (item.pre_hooks + item.deploy_hooks + item.post_hooks for item in config.certificates.values())
    return bool(config.alert_hooks) or any(hooks) or any(secret.command for secret in _secrets(config))


def _copied_to(config: Config) -> Iterator[str]:
    """The directories of all copies."""
    for certificate in config.certificates.values():
        for copy in certificate.copies:
            single = (copy.key, copy.fullchain, copy.chain, copy.cert, copy.combined)
            yield from map(_normal, [copy.to] if copy.to else [path.parent for path in single if path])


def _normal(path: Path) -> str:
    """``path`` without the dots that systemd does not take."""
    return os.path.normpath(path)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Each of ``paths`` once, and none that lies below another."""
    found = {Path(path) for path in paths}
    return sorted(str(path) for path in found if found.isdisjoint(path.parents))


def _literal(text: str) -> str:
    """``text`` where systemd looks for specifiers and nothing else."""
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """``text`` as one item of a list (systemd.syntax(7), quoting), its percent signs no specifiers."""
    if _PLAIN.fullmatch(text):
        return _literal(text)
    marked = re.sub(r'(["\\])', r"\\\1", text)
    escaped = "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in marked)
    return f'"{_literal(escaped)}"'


def _argument(text: str) -> str:
    """``text`` as an argument of a command, where a dollar sign would name a variable (systemd.service(5))."""
    return _word(text).replace("$", "$$")
