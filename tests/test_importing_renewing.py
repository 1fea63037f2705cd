"""When dehydrated renews a certificate, and with which key: told by its own configuration, without a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsbroker.importing.dehydrated import Renewing, renewing

USUAL = Renewing(32, frozenset(), takes_new_key=True, rolls_over=False)


def found(base: Path, config: str = "", own: str = "", domains: str | None = None) -> Renewing:
    """What is read of ``certs/a.test``, whose own settings are ``own``."""
    directory = base / "certs" / "a.test"
    directory.mkdir(parents=True, exist_ok=True)
    (base / "settings").write_text(config)
    (directory / "config").write_text(own)
    if domains is not None:
        (base / "domains.txt").write_text(domains)
    return renewing(base, base / "settings", directory)


def test_what_is_not_said_is_as_dehydrated_has_it(tmp_path: Path) -> None:
    """Also where there is no configuration at all."""
    assert found(tmp_path) == USUAL
    (tmp_path / "settings").unlink()
    assert renewing(tmp_path, Path(), tmp_path / "certs" / "a.test") == USUAL


@pytest.mark.parametrize("quoted", ["yes", '"yes"', "'yes'"])
def test_roll_over_needs_both_settings(tmp_path: Path, quoted: str) -> None:
    """With a key that is kept there is nothing to roll over."""
    assert found(tmp_path, f"PRIVATE_KEY_ROLLOVER={quoted}\n").rolls_over
    kept = found(tmp_path, f"PRIVATE_KEY_ROLLOVER={quoted}\nPRIVATE_KEY_RENEW=no\n")
    assert (kept.takes_new_key, kept.rolls_over) == (False, False)


def test_a_certificate_s_own_settings_win(tmp_path: Path) -> None:
    """In its directory, or in that of all."""
    own = found(tmp_path, "RENEW_DAYS=20\n", "RENEW_DAYS=7\nPRIVATE_KEY_RENEW=no\n")
    assert (own.days, own.takes_new_key) == (7, False)
    each = tmp_path / "each"
    each.mkdir()
    (each / "a.test").write_text("RENEW_DAYS=9\n")
    assert found(tmp_path, f"RENEW_DAYS=20\nDOMAINS_D={each}\n", "RENEW_DAYS=7\n").days == 9


def test_days_that_are_no_number_are_the_usual_ones(tmp_path: Path) -> None:
    """Nobody runs a shell for them."""
    assert found(tmp_path, "RENEW_DAYS=$((10 + 10))\n").days == 32
    assert found(tmp_path, "RENEW_DAYS=many\n").days == 32


def test_names_are_those_of_its_line(tmp_path: Path) -> None:
    """By the alias; none where the file has no such line."""
    lines = "# all\nb.test\nwww.example.org *.example.org > a.test\n"
    assert found(tmp_path, domains=lines).names == {"www.example.org", "*.example.org"}
    assert found(tmp_path, domains="b.test\n").names == frozenset()
