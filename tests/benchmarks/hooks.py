"""What a hook's call costs beside the interpreter that it needs: one of no concern, one to be remembered, one to write.

Rule: the program as it is installed, one provider configured, and names that nobody had before; a call that writes
finds the zone, writes, and reads back, but does not wait. Refused: a server that is not real.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.demo.acts import DNSBROKER
from lab.rig import Lab
from scenes import increase
from tables import Table
from timing import Pairs, pair

HOOK = DNSBROKER.with_name("dnsbroker-hook")
PAIRS = 20
NOTHING, RFC2136 = 4.0, 20.0
VALUE = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
Call = tuple[str, Sequence[str | Path], Mapping[str, str]]

ALLOWED = {
    "of no concern: generate_csr": NOTHING,
    "RFC 2136: present": RFC2136,
    "RFC 2136: cleanup": RFC2136,
}
"""At most so many times the interpreter's own start."""


def report(lab: Lab) -> bool:
    """Time every kind of call and print it; whether the claims hold."""
    increase(lab)
    found: dict[str, list[tuple[float, float]]] = {}
    files = {name: _configuration(lab, name) for name in ("bind", "powerdns")}
    for number in range(PAIRS + 2):  # at first files come into the page cache, and bytecode is written
        for title, command, environment in _calls(files, number):
            found.setdefault(title, []).append(pair(command, environment))
    pairs = {title: Pairs(*zip(*times[2:], strict=True)) for title, times in found.items()}
    table = Table(["", "python -c pass ms", "the call ms", "times", "half of them"])
    for title, times in pairs.items():
        table.row(title, *times.cells())
    table.print(f"Calls of the hook ({PAIRS} pairs each; medians)")
    holds = {title: pairs[title].ratio <= allowed for title, allowed in ALLOWED.items()}
    for title, allowed in ALLOWED.items():
        print(f"claim: {title}: at most {allowed:g} times -- {'holds' if holds[title] else 'DOES NOT HOLD'}")
    return all(holds.values())


def _configuration(lab: Lab, provider: str) -> Path:
    """A configuration with one provider, and a state directory that is there."""
    state, path = lab.directory / f"hooks-{provider}", lab.directory / f"hooks-{provider}.toml"
    state.mkdir(mode=0o711)
    path.touch(mode=0o600)
    others = {name: None for name in ("bind", "powerdns") if name != provider}
    path.write_text(lab.config(state, overrides={"providers": others}))
    return path


def _calls(files: Mapping[str, Path], number: int) -> Iterator[Call]:
    """The calls of one round."""
    yield "of no concern: generate_csr", [HOOK, "generate_csr", "x"], {}
    certbot = {
        "CERTBOT_DOMAIN": f"www{number}.bind.test",
        "CERTBOT_VALIDATION": VALUE,
        "CERTBOT_REMAINING_CHALLENGES": "1",
        "CERTBOT_ALL_DOMAINS": "www.bind.test",
    }
    yield "remembered: certbot-auth before the last", [HOOK, "--config", files["bind"], "certbot-auth"], certbot
    for service, provider, zone in (("RFC 2136", "bind", "bind.test"), ("PowerDNS", "powerdns", "example.test")):
        start: list[str | Path] = [HOOK, "--config", files[provider]]
        name = f"_acme-challenge.hook{number}.{zone}"
        yield f"{service}: present", [*start, "--no-wait", "present", name, VALUE], {}
        yield f"{service}: cleanup", [*start, "cleanup", name, VALUE], {}
