"""A chain that dehydrated obtained and was told not to take: found beside the live one, as long as it is the newer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.config import Config
from dnsbroker.dane import Subject, Subjects
from dnsbroker.errors import ConfigError
from dnsbroker.lineages import Lineages, refused_chain
from dnsbroker.tlsa.computing import Presented, of_chain, of_key
from kept_elsewhere import CLIENTS, Kept

KEY, NEXT = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
FIRST, SECOND, THIRD = (Authority(name).issue(KEY, ["a.test"]) for name in ("one", "two", "three"))


def written(kept: Kept, chain_pem: str) -> dict[str, Path]:
    """The files of an attempt, before any link leads to them."""
    kept.number += 1
    leaf, *issuers = keys.read_chain(chain_pem)
    return kept.written({"cert": leaf, "privkey": KEY, "chain": "".join(issuers), "fullchain": chain_pem})


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """One with a certificate that is live."""
    found = Kept(tmp_path, "dehydrated")
    found.renew(KEY, FIRST)
    return found


def test_it_is_the_newest_that_is_not_live(kept: Kept) -> None:
    """Once one is taken, those before are nobody's."""
    assert refused_chain(kept.directory) == ""
    written(kept, SECOND)
    assert refused_chain(kept.directory) == SECOND
    written(kept, THIRD)
    assert refused_chain(kept.directory) == THIRD
    kept.renew(KEY, FIRST)
    assert refused_chain(kept.directory) == ""


def test_one_that_is_cut_off_is_none(kept: Kept) -> None:
    """Its client was killed over it."""
    written(kept, SECOND)["fullchain"].write_text(SECOND[:-100])
    assert refused_chain(kept.directory) == ""


def test_other_clients_have_none(tmp_path: Path) -> None:
    """What they obtain they take; nor has a directory that is not there, or has no links."""
    for client in CLIENTS[:1] + CLIENTS[2:]:
        kept = Kept(tmp_path / client, client)
        kept.renew(KEY, FIRST)
        (kept.directory / "fullchain-9999999999.pem").write_text(SECOND)
        assert refused_chain(kept.directory) == ""
    assert refused_chain(tmp_path / "nowhere") == ""
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("fullchain.pem", "fullchain-9999999999.pem"):
        (plain / name).write_text(FIRST)
    assert refused_chain(plain) == ""


def test_nothing_is_taken_from_elsewhere(kept: Kept, tmp_path: Path) -> None:
    """A link that leads out of the client's directory is refused, as everywhere."""
    elsewhere = tmp_path / "elsewhere.pem"
    elsewhere.write_text(SECOND)
    os.symlink(elsewhere, kept.directory / "fullchain-9999999999.pem")
    with pytest.raises(ConfigError, match="outside of"):
        refused_chain(kept.directory)


def test_its_authority_may_be_that_of_the_next_one(kept: Kept, tmp_path: Path) -> None:
    """So that the next chain finds its record: with the live key, for its own is used up; of the same CA none."""

    def subject() -> Subject:
        place = str(kept.directory)
        table = {"endpoint": "smtp://a.test", "certificate": place}
        config = Config.from_dict({"state_dir": str(tmp_path / "state"), "dane": [table]})
        return Subjects(config, Lineages(config.state_dir, {}), lambda _: None).read(place)

    kept.next_key.write_text(NEXT)
    written(kept, Authority("one").issue(KEY, ["a.test"]))
    written(kept, FIRST)
    coming = (of_key(NEXT),)
    assert subject().next == coming
    written(kept, SECOND)
    live, second = of_chain(FIRST), of_chain(SECOND)
    assert subject().next == (*coming, Presented(live.leaf, second.authorities))
    kept.renew(KEY, SECOND)
    assert subject().next == coming
