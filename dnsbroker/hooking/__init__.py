"""What other ACME clients have done through their hooks: values published, watched and taken back, files deployed.

A hook is a process of seconds, one of several that its client starts; what ties them together is the journal. What the
journal alone can answer is answered without an event loop. Nothing else is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsbroker.clock import Clock
    from dnsbroker.config import Config
    from dnsbroker.errors import BrokerError
    from dnsbroker.hooking.calls import Call, Ended, Started, Stumbled
    from dnsbroker.run import Run


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    Attributes:
        line: what the client gets on its standard output; ASCII, no line end; mostly empty.
        told: for people, each a line: what went wrong and is no failure for the client.
        failures: what is one, the first being the cause.
        changed: whether anything on disk or in DNS is different now.
    """

    line: str = ""
    told: Sequence[str] = ()
    failures: Sequence[BrokerError] = ()
    changed: bool = False


def at_once(call: Call, config: Config, clock: Clock) -> Answer | None:
    """The answer to ``call``, where the journal alone has it; None where it takes the network, or files.

    Raises StoreError; Postponed where the call is refused for the failures before it; ConfigError, NameInvalid.
    """
    if _is_of_no_concern(call, config):
        return Answer()
    if not config.state_dir.is_dir() or _about_dane(call, config):
        return None  # whoever goes on from here will make it, or has to look

    from dnsbroker.hooking.remembering import answer
    from dnsbroker.journal.database import Journal

    def is_alive(run: str) -> bool:
        from dnsbroker.journal.runs import Runs

        return Runs(config.state_dir).is_alive(run)

    journal = Journal(config.state_dir)
    try:
        return answer(call, journal, clock, is_alive, config.path)
    finally:
        journal.close()


def _is_of_no_concern(call: Call, config: Config) -> bool:
    """Whether ``call`` asks after another client's certificate where none of them is ours to look after.

    dehydrated asks for each one each time it runs. That a new one is nobody's lineage is told, which takes a run. What
    is configured wrongly may be such a one.
    """
    from dnsbroker.hooking.calls import Admit, Deploy

    if isinstance(call, Admit) or (isinstance(call, Deploy) and not call.is_new):
        kept = any(certificate.lineage is not None for certificate in config.certificates.values())
        return not kept and not config.broken_lineages and not has_dane(config)
    return False


def has_dane(config: Config) -> bool:
    """Whether TLSA records are looked after for any certificate that another client keeps."""
    mentioned = {reference for table in config.dane for reference in table.certificate}
    kept = (name for name, certificate in config.certificates.items() if certificate.lineage is not None)
    return any(reference.startswith("/") for reference in mentioned) or not mentioned.isdisjoint(kept)


def _about_dane(call: Call, config: Config) -> Started | Stumbled | Ended | None:
    """``call`` where it begins or ends a run of a client whose certificates have TLSA records to be looked after."""
    from dnsbroker.hooking.calls import Ended, Started, Stumbled

    if isinstance(call, Started | Stumbled | Ended) and call.home is not None and has_dane(config):
        return call
    return None


async def perform(call: Call, run: Run, *, wait: bool = True) -> Answer:
    """Do what ``call`` asks for; without ``wait``, values are only written, and the client looks itself.

    Errors are in the answer; raised are StoreError, and what ``at_once`` raises.
    """
    from dnsbroker.hooking.calls import Admit, Deploy

    if isinstance(call, Deploy | Admit):
        from dnsbroker.hooking import deployment

        return await (deployment.deploy(call, run) if isinstance(call, Deploy) else deployment.admit(call, run))

    from dnsbroker.hooking import publication, remembering

    known = remembering.answer(call, run.journal, run.clock, run.runs.is_alive, run.config.path)
    answer = await publication.perform(call, run, wait=wait) if known is None else known
    beginning_or_end = _about_dane(call, run.config)
    if beginning_or_end is None:
        return answer
    from dnsbroker.hooking.dane import see_to

    return await see_to(beginning_or_end, run, answer)


__all__ = ["Answer", "at_once", "has_dane", "perform"]
