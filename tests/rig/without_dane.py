"""A program without DANE, call by call: what of DANE's code is imported after each is printed, a line a call.

Rule: a process of its own runs it, with a directory for its argument, since what is imported stays so. With a second
argument there is a ``[[dane]]`` table by the time of ``status``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from authority import START
from dnsbroker import Broker, Config, Wishes
from dnsbroker.cli import main
from dnsbroker.testing import FakeClock
from issuing_ca import IssuingCA
from practice import practising, running

NAME = "example.test"
_TABLE = f'[[dane]]\nendpoint = "smtp://{NAME}"\ncertificate = "{NAME}"\n'


def tell(call: str) -> None:
    """Print the modules of DANE that are there, after the ``call``."""
    found = [name for name in sys.modules if name.startswith(("dnsbroker.rolling", "dnsbroker.dane"))]
    print(f"after {call}:", *found)


def orders(home: Path) -> None:
    """An order and what follows it, each by a Broker of its own that measures, tells people, and deploys."""
    with practising(home / "state") as practice:
        ca = IssuingCA(FakeClock(START))
        with running(ca.server):
            made = practice.config(
                {NAME: {"tlsa_guard": False, "post_hooks": ["true"]}},
                acme={"directory": ca.url("dir"), "agree_tos": True},
                propagation={"require": "none", "settle": "10ms"},
                metrics=str(home / "metrics.prom"),
                alert_hooks=["true"],
            )
            config = Config.from_dict(made["data"], adapters=made["adapters"])
            for call, work in CALLS.items():
                asyncio.run(_called(config, ca.clock, work))
                tell(call)


async def _called(config: Config, clock: FakeClock, work: Callable[[Broker], Awaitable[Any]]) -> None:
    async with Broker(config, clock=clock) as broker:
        await work(broker)
        await broker.conclude(0)


CALLS: dict[str, Callable[[Broker], Awaitable[Any]]] = {
    "issue": lambda broker: broker.issue(NAME),
    "renew": lambda broker: broker.renew_all(),
    "renew --new-key": lambda broker: broker.renew_all([NAME], wishes=Wishes(force=True, new_key=True)),
    "deploy": lambda broker: broker.deploy_all(),
}


def looks(home: Path, tables: str) -> None:
    """What only looks, by the command line."""
    path = home / "dnsbroker.toml"
    path.touch(mode=0o600)
    path.write_text(f'state_dir = "{home / "state"}"\n[certificates."{NAME}"]\nnames = ["{NAME}"]\n{tables}')
    for call in ("list", "log", "status", "show"):
        main(["--config", str(path), call, *([NAME] if call == "show" else [])])
        tell(call)


if __name__ == "__main__":
    place, *with_table = map(Path, sys.argv[1:])
    orders(place)
    looks(place, _TABLE if with_table else "")
