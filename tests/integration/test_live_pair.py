"""Two hundred renewals of one certificate, and nobody who reads its files meanwhile sees a key with another's chain."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dnsbroker import Broker, Config
from dnsbroker.certifying import Wishes
from household import Household, credulous
from lab.rig import Lab

RENEWALS = 200

COMBINED = """
def read(live):
    text = (live / "combined.pem").read_text()
    return text, text
"""
CURRENT = """
def read(live):
    directory = os.open(live / "current", os.O_RDONLY)
    try:
        opener = lambda path, flags: os.open(path, flags, dir_fd=directory)
        return [open(file, opener=opener).read() for file in ("privkey.pem", "fullchain.pem")]
    finally:
        os.close(directory)
"""
READER = """
import os, sys
from pathlib import Path
from dnsbroker import keys
{read}
os.nice(15)  # the renewals are not to wait for who only looks
live, end = map(Path, sys.argv[1:])
seen = set()
while not end.exists():
    key, chain = read(live)
    chain = chain[chain.index("-----BEGIN CERT"):]
    key = key[:key.index("-----END PRIVATE KEY-----") + 26]
    assert keys.matches(key, chain), "an unmatched pair"
    seen.add(chain)
print(len(seen))
"""


@contextlib.contextmanager
def reading(live: Path, end: Path, read: str) -> Iterator[list[int]]:
    """Somebody who reads in a process of their own until ``end`` is there; then, how many certificates they saw."""
    seen: list[int] = []
    arguments: list[str | Path] = [
        sys.executable,
        "-W",
        "ignore::ResourceWarning",
        "-c",
        READER.format(read=read),
        live,
        end,
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield seen
            end.touch()
            told, complaint = process.communicate(timeout=30)
            assert process.returncode == 0, complaint
            seen.append(int(told))
        finally:
            process.kill()


async def renewed(configuration: Path) -> int:
    """How many certificates came of so many renewals in a row."""
    async with Broker(Config.load(configuration)) as broker:
        return len({(await broker.renew("one", wishes=Wishes(force=True))).serial for _ in range(RENEWALS)})


def test_no_reader_sees_an_unmatched_pair_in_two_hundred_renewals(running_lab: Lab, tmp_path: Path) -> None:
    """Neither who reads ``combined.pem``, nor who opens ``current`` once and reads the files in it.

    The CA believes without looking, for two hundred are many; the readers see most of them come.
    """
    end = tmp_path / "end"
    with credulous(tmp_path / "ca", port=14550) as ca:
        home = Household(running_lab, tmp_path / "home", ca).says({"one": ["pair.example.test"]})
        home("issue").succeeded()
        live = home.live("one")
        with reading(live, end, COMBINED) as combined, reading(live, end, CURRENT) as current:
            assert asyncio.run(renewed(home.configuration)) == RENEWALS
    assert min(*combined, *current) > RENEWALS / 4, (combined, current)
