"""The authenticator ``dns-dnsbroker``.

Rule: all values of a certificate in one call; certbot goes on when every name server has them, and never otherwise.
Refused: sleeping, and a failure that is only told: PluginError keeps certbot from asking the CA.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from acme import challenges
from certbot import achallenges, errors, interfaces, util
from certbot.display import util as display_util
from certbot.plugins import common

from certbot_dns_dnsbroker import program
from certbot_dns_dnsbroker.program import Ended, Event

logger = logging.getLogger(__name__)

#: What a person is told without asking; and what with ``-v``. All else is for the log.
_WARNINGS = frozenset({"left", "warning"})
_STEPS = frozenset({"held", "propagated", "server", "swept", "waiting", "withdrawn", "written"})
#: How long `dnsbroker list` may take, in seconds: it asks nobody.
_PATIENCE = 60.0


class Authenticator(common.Plugin, interfaces.Authenticator):
    """dns-01 by the program dnsbroker."""

    description = "Obtain certificates by DNS TXT records, published and watched by the program dnsbroker."

    #: Whether the last ``perform`` failed before anything was written.
    _is_untouched = False

    @classmethod
    def add_parser_arguments(cls, add: Callable[..., None]) -> None:
        """Add the options; certbot puts the plugin's name before each."""
        add("program", default="dnsbroker", metavar="PATH", help="The program, if `dnsbroker` on the PATH is not it.")
        add("config", default="", metavar="PATH", help="dnsbroker's configuration file, if not in its usual place.")
        add(
            "expires",
            default="",
            metavar="DURATION",
            help="After that, `dnsbroker gc` withdraws what certbot did not; by default 1h.",
        )

    def more_info(self) -> str:
        """What the plugin does, for the person who chooses one."""
        return (
            "This plugin has the program dnsbroker publish the DNS TXT records of dns-01 challenges, wait until every "
            "authoritative name server has them, and take them back."
        )

    def prepare(self) -> None:
        """Look whether the program is there and can read its configuration; certbot asks only before it uses this.

        Paths become absolute, as certbot keeps them for renewals, which begin elsewhere.
        Raises MisconfigurationError, with which the plugin is still listed.
        """
        for option in ("program", "config"):
            path = self.conf(option)
            if path and (option == "config" or os.sep in path):  # a mere word is looked for on the PATH
                setattr(self.config, self.dest(option), os.path.abspath(os.path.expanduser(path)))
        ended = self._call("list", limit=_PATIENCE)  # the one command that reads the configuration and contacts nobody
        if ended.status == program.USAGE or not ended.is_answered:
            raise errors.MisconfigurationError(ended.reason)

    def get_chall_pref(self, identifier: str) -> Iterable[type[challenges.Challenge]]:
        """Only dns-01, whatever the ``identifier``."""
        return [challenges.DNS01]

    def perform(self, achalls: list[achallenges.AnnotatedChallenge]) -> list[challenges.ChallengeResponse]:
        """Publish all values and wait for them; the responses, in order.

        Raises PluginError where they are not at every name server: certbot then calls ``cleanup``, and asks no CA.
        """
        display_util.notify("Publishing with dnsbroker, and waiting until every name server has it")
        expires = self.conf("expires")
        ended = self._call("txt", "present", *(["--expires", expires] if expires else []), "--", *_pairs(achalls))
        self._is_untouched = bool(ended.status) and not ended.changed
        if ended.status == program.NOT_WITHDRAWN:  # all is there; what was left is of an earlier run
            logger.warning("dnsbroker: %s", ended.reason)
        elif ended.status:
            raise errors.PluginError(ended.reason)
        return [achall.response(achall.account_key) for achall in achalls]

    def cleanup(self, achalls: list[achallenges.AnnotatedChallenge]) -> None:
        """Take back all values of ``achalls``; a failure is only told, for dnsbroker remembers it and tries again."""
        if self._is_untouched:
            return
        try:
            ended = self._call("txt", "cleanup", "--", *_pairs(achalls))
        except errors.PluginError as error:
            ended = Ended(program.USAGE, str(error))
        if ended.status:
            logger.error("dnsbroker could not withdraw the challenges: %s", ended.reason)

    def auth_hint(self, failed_achalls: list[achallenges.AnnotatedChallenge]) -> str:
        """What to do where the CA did not believe what every name server had."""
        names = " ".join(sorted({_name(achall) for achall in failed_achalls}))
        return (
            "dnsbroker saw the TXT records at every authoritative name server before the Certificate Authority was "
            f"asked. `dnsbroker doctor {names}` looks for what keeps it from seeing them; `dnsbroker log` tells what "
            "was written, and when."
        )

    def _call(self, *words: str, limit: float | None = None) -> Ended:
        """Call the program, for at most ``limit`` seconds.

        Raises MisconfigurationError where it is not there or cannot be run.
        """
        environment = util.env_no_snap_for_external_calls()
        named = str(self.conf("program"))
        path = shutil.which(named, path=environment.get("PATH"))
        if path is None:
            raise errors.MisconfigurationError(
                f"there is no program {named} that certbot can run "
                "(hint: install dnsbroker, or say with --dns-dnsbroker-program where it is)"
            )
        configuration = ["--config", self.conf("config")] if self.conf("config") else []
        try:
            return program.call([path, "--json", *configuration, *words], environment, _log, logger.debug, limit)
        except OSError as error:
            raise errors.MisconfigurationError(f"{path} cannot be run: {error.strerror}") from error


def _pairs(achalls: Sequence[achallenges.AnnotatedChallenge]) -> list[str]:
    """Owner name and value of each challenge, as ``dnsbroker txt`` takes them."""
    return [
        word
        for achall in achalls
        for word in (achall.validation_domain_name(_name(achall)), achall.validation(achall.account_key))
    ]


def _name(achall: Any) -> str:
    """The name to be proved; certbot before 5.3 knows no ``identifier``."""
    identifier = getattr(achall, "identifier", None)
    return str(identifier.value if identifier else achall.domain)


def _log(event: Event) -> None:
    """Tell an event as loudly as it deserves."""
    kind = event["event"]
    if kind in _WARNINGS:
        about = f"could not withdraw {event.get('name', 'a record')}: " if kind == "left" else ""
        hint = f" (hint: {event['hint']})" if event.get("hint") else ""
        logger.warning("dnsbroker: %s%s%s", about, event.get("message", ""), hint)
        return
    told = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "time") and value != "")
    logger.log(logging.INFO if kind in _STEPS else logging.DEBUG, "dnsbroker: %s %s", kind, told)
