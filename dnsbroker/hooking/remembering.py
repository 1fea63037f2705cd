"""What the journal alone can answer: values to be written later, clients that stumble, sessions with nothing to do.

Rule: nothing here waits, and nothing is asked of anybody else. A session that has failed is refused until its time has
come, as a client that takes no notice of our failures would run into the CA's limits; a configuration that is newer
than the failure is tried at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from dnsbroker.clock import Clock
from dnsbroker.errors import BrokerError, Postponed
from dnsbroker.hooking import Answer
from dnsbroker.hooking.calls import Call, Cleanup, Ended, Present, Refused, Started, Stumbled
from dnsbroker.journal.attempts import Attempts
from dnsbroker.journal.clients import client_run
from dnsbroker.journal.database import Journal
from dnsbroker.journal.hooked import Sessions
from dnsbroker.journal.leases import Leases
from dnsbroker.names import shown
from dnsbroker.records import checked_texts

#: How long the records of a client that has stumbled are kept, in seconds: it may go on.
GRACE = timedelta(minutes=5).total_seconds()
# The client's own timer comes twice a day or so; more than that would be missed by pausing longer.
_LONGEST_PAUSE = timedelta(hours=1)
_NUMBERS = re.compile(r"( [0-9]+)+$")


def answer(
    call: Call, journal: Journal, clock: Clock, is_alive: Callable[[str], bool], path: Path | None
) -> Answer | None:
    """The answer to ``call``; None where the journal does not have it. Raises as ``dnsbroker.hooking.at_once``.

    ``path`` is the configuration's.
    """
    sessions = Sessions(journal, clock)
    match call:
        case Present():
            if call.is_first:
                _supersede(call.session, sessions)
            _check_time(call, Attempts(journal, clock), clock, path)
            return _park(call, sessions) if call.following else None
        case Cleanup():
            return Answer() if sessions.unpark(checked_texts(call.values)) else None
        case Started():
            is_idle = not any(map(sessions.has_any, forebears(call.session, sessions)))
            return Answer() if is_idle and not Leases(journal, "", clock).sweepable(is_alive) else None
        case Ended():
            return None if sessions.has_any(call.session) else Answer()
        case Stumbled():
            sessions.hasten(call.session, GRACE)
            return Answer()
        case Refused():
            return _refused(call, sessions)
    return None


def forebears(session: str, sessions: Sessions) -> tuple[str, ...]:
    """``session``, and those of the same client at the same place whose processes are gone."""
    mine = client_run(session)
    if mine is None:
        return (session,)
    others = (client_run(other) for other in sessions.named(f"{mine.name} ") if other != session)
    return (session, *(one.session for one in others if one and one.name == mine.name and one.is_gone))


def _has_process(session: str) -> bool:
    """Whether ``session`` is one process's of the client, and so no other run's."""
    run = client_run(session)
    return run is not None and run.pid > 0


def subject(session: str) -> str:
    """Under what the failures of ``session`` are counted, whichever run it is; no certificate's name has a blank."""
    return f"hook {_NUMBERS.sub('', session)}"


def number(ident: int) -> str:
    """The line by which a client may know a value again."""
    return f"dnsbroker {ident}"


def _park(call: Present, sessions: Sessions) -> Answer:
    return Answer(number(sessions.ask(call.session, checked_texts(call.values), call.tokens)))


def _supersede(session: str, sessions: Sessions) -> None:
    """What an earlier run of the client had parked is never written, and what it has in DNS goes with a later sweep.

    What the same process has is such: it counts from the beginning again. In a process group others may live.
    """
    for one in forebears(session, sessions):
        if (one != session or _has_process(session)) and sessions.values(one):
            sessions.supersede(one)


def _check_time(call: Present, attempts: Attempts, clock: Clock, path: Path | None) -> None:
    """Raise Postponed where the session's failures are too fresh."""
    attempt = attempts.of(subject(call.session)) if call.is_spaced else None
    if attempt is None or _is_newer(path, attempt.last):
        return
    until = min(attempt.next_try, attempt.last + _LONGEST_PAUSE)
    if clock.now() < until:
        times = "once" if attempt.failures == 1 else f"{attempt.failures} times in a row"
        raise Postponed(
            f"{_shortened(call.session)}: failed {times}, and nothing is published before"
            f" {until:%Y-%m-%d %H:%M:%S} UTC; last: {attempt.message}",
            name=call.session,
            until=until,
            hint=_way_out(attempt.hint, path),
        )


def _is_newer(path: Path | None, moment: datetime) -> bool:
    """Whether the file was changed after that."""
    try:
        return path is not None and path.stat().st_mtime > moment.timestamp()
    except OSError:
        return False


def _way_out(cure: str, path: Path | None) -> str:
    cure = cure or "`dnsbroker doctor` looks for the cause"
    return f"{cure}; once that is mended, `touch {path}` lets the next call try at once" if path else cure


def _shortened(session: str) -> str:
    """``session`` in few words, where it has a hundred names."""
    client, _, names = _NUMBERS.sub("", session).partition(" ")
    first, *more = dict.fromkeys(names.split(","))
    return f"{client} {first} and {len(more)} more" if more else f"{client} {first}"


def _refused(call: Refused, sessions: Sessions) -> Answer:
    """Which challenge it was is told by its token alone: the client may name another one's name."""
    told = dict(line.split("\t", 1) for line in call.response.splitlines() if "\t" in line)
    token, detail = (told.get(key, "").strip().strip('"') for key in ('["token"]', '["error","detail"]'))
    known = sessions.name_of(call.session, token)
    about = shown(known.removeprefix("_acme-challenge.")) if known else _guessed(call.name)
    error = BrokerError(f"the CA refused the challenge of {about}" + (f": {detail}" if detail else ""))
    sessions.failed(call.session, error)
    return Answer(told=[error.message])


def _guessed(name: str) -> str:
    return f"{name} or of a name beside it" if name else "a name that the client does not tell"
