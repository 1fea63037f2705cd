"""docs/library.md: the examples that need an authority and name servers run, as a stranger would run them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pages
from dnsbroker import Broker, Config
from dnsbroker.events import Event
from lab.processes import with_environment
from lab.rig import Lab

PAGE = pages.text("docs/library.md")
EXAMPLES = [example for example in pages.blocks(PAGE, "python") if "Config.load" in example]
#: What every event may have beside its own fields.
COMMON = {"event", "time", "certificate"}


def fields_listed() -> dict[str, set[str]]:
    """Every event on the page, with its fields."""
    return {pages.words(row[0])[0]: set(pages.words(row[1])) for row in pages.rows(pages.section(PAGE, "## Events"))}


def test_every_example_runs(lab: Lab, configure: Callable[..., Path]) -> None:
    """One after the other, with one state directory; only the page's domain is the lab's. Nothing stays in DNS."""
    ttl = {"providers": {"powerdns": {"ttl": "1s"}}}  # each example waits until the one before is forgotten
    path = configure({"example.test": ["example.test", "*.example.test"]}, ttl)
    environment = {"DNSBROKER_CONFIG": str(path)}
    printed = []
    for example in EXAMPLES:
        command = [sys.executable, "-W", "error", "-c", example.replace("example.org", "example.test")]
        done = subprocess.run(
            with_environment(environment, command), capture_output=True, text=True, timeout=90, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), example
        printed.append(done.stdout)
    assert "'event': 'issued'" in printed[0]
    assert any("every name server has it" in text for text in printed)
    lab.await_values("_acme-challenge.example.test", [])
    check_events([ast.literal_eval(line) for line in printed[0].splitlines() if line.startswith("{'event'")])


def check_events(events: list[Event]) -> None:
    """Each is on the page, with all its fields."""
    listed = fields_listed()
    assert events
    for event in events:
        assert set(event) - COMMON <= listed[str(event["event"])], event


def test_real_events_have_the_fields_on_the_page(lab: Lab, configure: Callable[..., Path]) -> None:
    """Those of a first certificate, of one that is kept, and of a failure; each ends with what became of it."""
    events: list[Event] = []
    config = Config.load(configure({"example.test": ["example.test"], "lost": ["lost.invalid"]}))
    with Broker(config, on_event=events.append).sync() as broker:
        broker.issue("example.test")
        broker.renew("example.test")
        with pytest.raises(Exception, match="lost"):
            broker.issue("lost")
    check_events(events)
    assert {"issued", "kept", "failed", "place", "server", "written", "withdrawn"} <= {
        event["event"] for event in events
    }
