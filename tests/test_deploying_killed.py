"""A run killed between an issued certificate and its deployment: the next run deploys what went live, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployed_host import KEY, Host, certificate, note
from dnsbroker.config import CertificateConfig
from killing import is_killed_before_change

WANTED = certificate(deploy_hooks=(note("deploy"),), post_hooks=(note("post"),))


def issued(directory: Path, wanted: CertificateConfig, serial: int) -> None:
    host = Host(directory)
    host.issued(wanted, serial)
    host.journal.close()


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "renewal"])
def test_a_kill_between_plan_and_live_certificate_is_made_up_for(tmp_path: Path, is_first: bool) -> None:
    """Before each change of the disk on the way: what is live matches, and is deployed just once by the next run."""
    steps = went_live = 0
    while True:
        home = tmp_path / str(steps)
        home.mkdir()
        host = Host(home)
        if not is_first:
            host.issue(WANTED)
            assert host.said() == ["deploy", "post"]
        killed = is_killed_before_change(steps, lambda home=home: issued(home, WANTED, 2))  # type: ignore[misc]
        live = host.store.load(WANTED.name)
        is_new = live is not None and live.serial == "2"
        assert (live is None) is (is_first and not is_new)
        assert live is None or live.private_key == KEY
        for expected in (["deploy", "post"] if is_new else [], []):
            if live is not None:
                host.renew(WANTED)
            assert host.said() == expected
        host.journal.close()
        steps, went_live = steps + 1, went_live + (is_new and killed)
        if not killed:
            break
    assert steps > 20
    assert went_live >= 1
