"""What is gathered of roll-overs from the journal: what was seen, and nothing that is only feared."""

from __future__ import annotations

from pathlib import Path

from dnsbroker.config import Config
from dnsbroker.journal import Journal, Rollovers, Sight
from dnsbroker.knowing.rollovers import Place, Rollover, Site
from dnsbroker.knowing.standings import Standings
from dnsbroker.rolling import Step
from dnsbroker.rolling.memory import UNKNOWN
from dnsbroker.store import Store
from dnsbroker.testing import FakeClock

OWNER = "_25._tcp.mail.example.test."
SMTP = "smtp://mail.example.test"


def test_what_caches_may_have_from_before_the_first_look_is_in_no_picture(tmp_path: Path) -> None:
    """Nobody was seen giving it out; what a server had is there."""
    clock, journal = FakeClock(), Journal(tmp_path)
    now = clock.now().timestamp()
    seen = Sight("192.0.2.1", frozenset({"3 1 1 " + "aa" * 32}), 3600, now, now, is_current=True)
    feared = Sight(UNKNOWN, frozenset({"3 1 1 " + "00" * 32}), 3600, now, now, is_current=False)
    Rollovers(journal, clock).keep_sights(OWNER, [seen, feared])
    config = Config.from_dict({"state_dir": str(tmp_path)})
    standings = Standings(config, Store(tmp_path), journal, clock)
    steady = Rollover("mail", Step.STEADY, now, "all is there", sites=(Site(SMTP, (Place(OWNER),)),))
    assert standings.chronicle(steady).sights == {OWNER: (seen,)}
