"""``make demo``: certificates through three DNS services, faults found first, another client's hook, DANE, in a lab.

The exit status is 1 if anything is not as the page claims, or if the lab does not start.
"""

from __future__ import annotations

import signal
import sys
import time
import types

from cloudflare.delegated import Delegated
from lab.demo.acts import BIND, POWERDNS, Stage
from lab.demo.foreseen import examine, forbid
from lab.demo.kept import keep
from lab.demo.life import renew
from lab.demo.page import Page
from lab.demo.rolled import roll
from lab.demo.services import all_three
from lab.processes import LabError
from lab.rig import Lab


def main() -> int:
    """Start the lab, show everything; the exit status."""
    signal.signal(signal.SIGTERM, _stop)
    page, began = Page(), time.monotonic()
    page.title("dnsbroker: certificates through three DNS services, faults found first, and a new key under DANE")
    page.text(
        """All of it runs in a network namespace of its own, on loopback addresses: no server of this machine is
        touched, nothing leaves it, and nothing stays. The name servers and the test CA are real ones, from Debian's
        packages; only Cloudflare is a stand-in."""
    )
    page.section("The lab")
    try:
        with Lab() as lab:
            show(Stage(lab, page))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    page.section("The end")
    held = page.claims - page.failed
    page.text(
        f"All servers are stopped, the lab is removed. Of {page.claims} claims above, {held} hold. "
        f"It took {time.monotonic() - began:.0f} s."
    )
    return 1 if page.failed else 0


def show(stage: Stage) -> None:
    """Every act."""
    stage.introduce()
    stage.plant_at_powerdns()
    stage.play(POWERDNS)
    stage.plant_at_bind()
    stage.play(BIND)
    stage.again()
    renew(stage)
    with Delegated(stage.lab) as cloudflare:
        all_three(stage, cloudflare)
        examine(stage, cloudflare)
        forbid(stage, cloudflare)
        keep(stage)
    roll(stage)


def _stop(number: int, frame: types.FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
