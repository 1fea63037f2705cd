"""What another client has obtained, looked after by `renew`: nothing of it reaches its users uncovered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from dane_house import HOUR, House
from dnsbroker import keys
from dnsbroker.certifying import Certifying, Outcome, Wishes
from dnsbroker.config import Config
from kept_elsewhere import Kept

NEW = keys.generate("ecdsa-p256")


class Renewed(House):
    """A house whose ``mail`` is certbot's, in ``place``, with copies for its daemons."""

    def __init__(self, root: Path, place: Path) -> None:
        super().__init__(root / "state")
        self.copy = root / "copies" / "privkey.pem"
        self._table = {"lineage": str(place), "copies": [{"to": str(self.copy.parent)}]}

    def config(self) -> Config:
        """With that certificate in place of one of ours."""
        tables = {"state_dir": str(self.state_dir), "certificates": {"mail": self._table}}
        return replace(super().config(), certificates=Config.from_dict(tables).certificates)

    async def renew(self) -> Outcome:
        """As `dnsbroker renew` by a timer, in a run of its own."""
        await self.manage()
        certificate = self.run.config.certificates["mail"]
        (outcome,) = await Certifying(self.run, Wishes(), is_named=False, is_mending=True).bring([certificate])
        return outcome


def test_renew_brings_another_client_s_new_key_to_nobody_until_caches_know_it(tmp_path: Path) -> None:
    """Its record is written meanwhile; then it is deployed. The twin: a new certificate for the key of before."""

    async def play() -> None:
        kept = Kept(tmp_path, "certbot")
        async with Renewed(tmp_path, kept.directory) as house:
            kept.renew(house.key, house.chain)
            first = await house.renew()
            assert first.status == "deployed", first
            assert house.records == {house.names(house.key)}
            house.clock.turn(HOUR)
            kept.renew(house.key, house.issue())
            assert (await house.renew()).status == "deployed"
            kept.renew(NEW, house.issue(NEW))
            held = await house.renew()
            assert (held.status, held.error) == ("held", None)
            assert "not deployed yet" in held.reason
            assert house.copy.read_text() == house.key
            assert house.names(NEW) in house.records
            house.clock.turn(HOUR)
            assert (await house.renew()).status == "deployed"
            assert house.copy.read_text() == NEW

    asyncio.run(play())
