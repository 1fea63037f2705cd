"""What can be wrong with a CA, an account, a configuration, this host's clock, or with the doctor itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime

from dnsbroker import keys
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Finding
from dnsbroker.journal import Attempts, Backoffs, Journal
from dnsbroker.store import AccountFiles, Store
from dnsbroker.testing import FakeClock, MemoryProvider
from doctor_scenes.scene import ERROR, NOTICE, WARNING, Act, Scene
from practice import CERTIFICATE, Practice


def acme(**changed: object) -> Act:
    """The account's table says so."""

    def act(practice: Practice) -> None:
        practice.tables["acme"] = {"directory": _directory(practice), "agree_tos": True, **changed}

    return act


def _directory(practice: Practice) -> str:
    return f"{practice.ca.url}/dir"


def _files(practice: Practice) -> AccountFiles:
    return Store(practice.state_dir).account("default")


def registered(practice: Practice) -> None:
    """There is an account."""
    files = _files(practice)
    files.key(lambda: keys.generate("ecdsa-p256"))
    files.keep_url(_directory(practice), "https://ca.test/acct/1")


def closed(practice: Practice) -> None:
    """It was deactivated from here."""
    _files(practice).retire(_directory(practice), practice.moment)


def forgotten(practice: Practice) -> None:
    """The account is known no more."""
    (practice.state_dir / "accounts" / "default" / "account.json").unlink()


def unreadable(practice: Practice) -> None:
    """Its file is none."""
    (practice.state_dir / "accounts" / "default" / "account.json").mkdir(parents=True)


def remembering(note: Callable[[Practice, Attempts, Backoffs], object]) -> Act:
    """The journal has that."""

    def act(practice: Practice) -> None:
        Store(practice.state_dir).prepare()
        clock, journal = FakeClock(practice.moment), Journal(practice.state_dir)
        note(practice, Attempts(journal, clock), Backoffs(journal, clock))
        journal.close()

    return act


def _demanded(practice: Practice, attempts: Attempts, backoffs: Backoffs) -> None:
    backoffs.demanded(_directory(practice), practice.moment + timedelta(minutes=30), "busy", "example.test")


def _failed(times: int) -> Act:
    def note(practice: Practice, attempts: Attempts, backoffs: Backoffs) -> None:
        for _ in range(times):
            attempts.validation_failed(_directory(practice), ["example.test"])

    return remembering(note)


def _postponed(practice: Practice, attempts: Attempts, backoffs: Backoffs) -> None:
    attempts.failed("example.test", BrokerError("the CA said no", hint="ask it why"))


def _nothing(practice: Practice, attempts: Attempts, backoffs: Backoffs) -> None:
    pass


def torn(practice: Practice) -> None:
    """The journal's file is none any more."""
    (practice.state_dir / "state.db").write_bytes(b"no journal" * 100)


def knowing_its_own(practice: Practice) -> None:
    """The CA makes accounts only for whom it knows."""
    practice.meta["externalAccountRequired"] = True


def off(**difference: float) -> Act:
    """The CA's clock shows that, by this host's."""

    def act(practice: Practice) -> None:
        practice.date = format_datetime(practice.moment + timedelta(**difference), usegmt=True)

    return act


def wrong_certificate(practice: Practice) -> None:
    """One beside it has a key that is none."""
    practice.tables["certificates"] = {**CERTIFICATE, "wrong": {"names": ["example.test"], "key_type": "dsa"}}


def wrong_bundle(practice: Practice) -> None:
    """The account's file of roots holds none."""
    file = practice.state_dir.with_name("roots.pem")
    file.write_text("none")
    acme(ca_bundle=str(file))(practice)


class Breaking(MemoryProvider):
    """An adapter with a defect."""

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        """Does not come to its end."""
        raise KeyError("nothing")


def breaking(practice: Practice) -> None:
    """The provider's adapter has one."""
    practice.adapters["memory"] = Breaking


CA = (
    Scene("misconfigured", ERROR, wrong_certificate),
    Scene("misconfigured", ERROR, wrong_bundle),
    Scene("unexamined", ERROR, breaking),
    Scene("unexamined", ERROR, torn, remembering(_nothing)),
    Scene("clock-skew", WARNING, off(minutes=2), off(seconds=30)),
    Scene("clock-skew", ERROR, off(hours=1), off(seconds=30)),
    Scene("ca-unreachable", ERROR, acme(directory="http://127.0.0.1:1/dir")),
    Scene("rate-limit", NOTICE, _failed(1)),
    Scene("rate-limit", WARNING, _failed(4)),
    Scene("rate-limit", ERROR, remembering(_demanded)),
    Scene("postponed", WARNING, remembering(_postponed)),
    Scene("terms-not-agreed", ERROR, acme(agree_tos=False)),
    Scene("account-closed", ERROR, closed, registered),
    Scene("account-unreadable", ERROR, unreadable),
    Scene("no-account", NOTICE, forgotten, registered),
    Scene("eab-missing", ERROR, knowing_its_own),
)
