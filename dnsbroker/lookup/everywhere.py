"""What all servers of a name's zone say of it: the union of their answers, aliases followed as clients follow them.

Rule: only the zones' own servers are asked, never a resolver, and each one that answers counts: a record that is still
served somewhere is still believed by somebody. That nobody answers is no denial.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dnsbroker.errors import LookupFailed, NameInvalid
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.asking import lameness, nobody_answers
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.race import NoAnswer
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import owner, shown

_MOST_NAMES = 16
#: Seconds for which servers that are slow are waited for once another one has answered: TCP after no UDP has a chance.
PATIENCE = 3.0


@dataclass(frozen=True)
class Everywhere:
    """What was found for a name: the ``values`` of the type asked for, and ``aliases``, every name it leads to."""

    values: frozenset[str]
    aliases: tuple[str, ...] = ()


async def everywhere(
    finder: Finder, exchange: Exchange, name: str, type: str, *, patience: float = PATIENCE
) -> Everywhere:
    """The values of ``type`` for ``name``, by any server of its zone, and of every zone that its aliases lead into.

    Wildcards count, CNAMEs that one makes included: whoever looks the name up gets them. A server that is still silent
    ``patience`` seconds after the last answer does not count. Raises LookupFailed where no server of one of the zones
    answers, NameInvalid where ``name`` is none.
    """
    names = [owner(name)]
    values: set[str] = set()
    for current in names:  # grows as aliases are met
        for answer in await _answers(finder, exchange, current, type, patience):
            values |= answer.values(current, type)
            target = _target(answer, current)
            if target and target not in names:
                names.append(target)
        if len(names) > _MOST_NAMES:
            raise LookupFailed(f"{shown(name)} has more than {_MOST_NAMES} aliases", name=name, transient=False)
    return Everywhere(frozenset(values), tuple(names[1:]))


def _target(answer: Answer, name: str) -> str | None:
    alias = answer.alias(name)
    try:
        return owner(alias) if alias else None
    except NameInvalid:  # no service has such a name
        return None


async def _answers(finder: Finder, exchange: Exchange, name: str, type: str, patience: float) -> list[Answer]:
    zone = await finder.zone_of(name)
    if zone.name == ".":
        return []  # below no top-level domain that there is
    asked = [asyncio.ensure_future(_asked(exchange, zone, server.address, name, type)) for server in zone.servers]
    try:
        return await _gathered(asked, zone, name, patience)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _gathered(asked: list[asyncio.Task[Answer]], zone: Zone, name: str, patience: float) -> list[Answer]:
    answers: list[Answer] = []
    reasons: dict[str, str] = {}
    waiting = set(asked)
    while waiting:
        done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if isinstance(error, NoAnswer):
                reasons |= error.reasons
            else:
                answers.append(task.result())
        if answers and not done:
            break
    if not answers:
        raise nobody_answers(zone.name, name, NoAnswer(reasons, answered=True))
    return answers


async def _asked(exchange: Exchange, zone: Zone, address: Address, name: str, type: str) -> Answer:
    try:
        answer = await exchange.ask(address, name, type)
    except Silent as error:
        raise NoAnswer({str(address): error.reason}, answered=False) from error
    fault = lameness(answer, zone.name, name)
    if fault:
        raise NoAnswer({str(address): fault}, answered=True)
    return answer
