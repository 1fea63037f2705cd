"""The account's own life at the CA: made, found, read, changed, given another key, closed (RFC 8555 section 7.3).

Functions over the wire; what is kept where is the caller's affair. A request whose reply was lost is safe to repeat,
a change of keys too: where it fails, the CA is asked whose account the new key opens before it counts as failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dnsbroker.acme import hints
from dnsbroker.acme.binding import Binding
from dnsbroker.acme.signing import AccountKey
from dnsbroker.acme.wire import READ, Wire, payload
from dnsbroker.errors import AcmeError, ConfigError, Problem
from dnsbroker.transport import Reply

_UNKNOWN = frozenset({"accountDoesNotExist", "externalAccountRequired"})
_UNBOUND = frozenset({"externalAccountRequired", "malformed", "unauthorized"})


@dataclass(frozen=True)
class AccountFacts:
    """What the CA says of an account (section 7.1.2).

    ``status`` is ``valid``, ``deactivated`` or ``revoked``; ``contact`` are URLs; ``orders`` the URL of the list of its
    orders, empty where the CA keeps none.
    """

    url: str
    status: str
    contact: tuple[str, ...]
    terms_agreed: bool
    orders: str


async def register(wire: Wire, contact: Sequence[str], binding: Binding | None) -> str:
    """The URL of the account of the wire's key, which is made unless it is there. Raises ConfigError too."""
    directory = await wire.directory()
    if binding is None and directory.external_account_required:
        return await find(wire, wire.key) or _refuse_unbound(wire.host)
    wanted: dict[str, object] = {"contact": _urls(contact)} if contact else {}
    wanted["termsOfServiceAgreed"] = True
    if binding is not None:
        wanted["externalAccountBinding"] = binding.payload(wire.key, directory.new_account)
    try:
        reply = await wire.post(directory.new_account, payload(wanted), what="the account", key=wire.key)
    except Problem as refused:
        if binding is not None and refused.type in _UNBOUND:
            refused.hint = hints.BINDING_REFUSED
        raise
    return wire.location(reply, "the account")


def _refuse_unbound(host: str) -> str:
    raise ConfigError(
        f"{host} only opens an account that is bound to one you have there already",
        key="acme.eab_kid",
        hint=hints.BINDING_WANTED,
    )


async def find(wire: Wire, key: AccountKey) -> str | None:
    """The URL of the account that ``key`` opens; None where the CA knows of none (section 7.3.1)."""
    url = (await wire.directory()).new_account
    try:
        reply = await wire.post(url, payload({"onlyReturnExisting": True}), what="the account", key=key)
    except Problem as refused:
        if refused.type not in _UNKNOWN:
            raise
        return None
    return wire.location(reply, "the account")


async def facts(wire: Wire) -> AccountFacts:
    """The account as it is now."""
    return _facts(wire, await wire.post(wire.account_url, READ, what="the account"))


async def update(wire: Wire, contact: Sequence[str]) -> AccountFacts:
    """The account after its contacts were replaced; none at all removes those that were there (section 7.3.2)."""
    what = "the new contact"
    return _facts(wire, await wire.post(wire.account_url, payload({"contact": _urls(contact)}), what=what))


async def deactivate(wire: Wire) -> None:
    """Close the account for ever (section 7.3.6)."""
    await wire.post(wire.account_url, payload({"status": "deactivated"}), what="closing the account")


async def roll_over(wire: Wire, new: AccountKey) -> None:
    """Give the account the key ``new``, with which the wire signs from then on (section 7.3.5)."""
    url = (await wire.directory()).key_change
    if not url:
        hint = "close this account and register another one, which gets a new key"
        raise AcmeError(f"{wire.host} does not let an account change its key", hint=hint)
    change = payload({"account": wire.account_url, "oldKey": wire.key.jwk()})
    inner = new.sign(change, url=url, nonce="", kid="")
    try:
        await wire.post(url, inner, what="the new account key")
    except AcmeError as failed:
        opened = await _opened_by(wire, new)
        if opened != wire.account_url:
            raise _told_apart(failed, opened) from failed.__cause__
    wire.key = new


def _told_apart(failed: AcmeError, opened: str | None) -> AcmeError:
    """The failure, which is lasting where the new key is another account's; not every CA says 409 to that."""
    if opened:
        failed.hint = f"the new key opens the account {opened} already: take another one"
        failed.transient = False
    return failed


async def _opened_by(wire: Wire, key: AccountKey) -> str | None:
    """The account that ``key`` opens; None also where the CA does not say."""
    try:
        return await find(wire, key)
    except AcmeError:
        return None


def _urls(contact: Sequence[str]) -> list[str]:
    return [entry if ":" in entry else f"mailto:{entry}" for entry in contact]


def _facts(wire: Wire, reply: Reply) -> AccountFacts:
    found: Mapping[str, object] = wire.json(reply, "the account")
    contact, status, orders = found.get("contact"), found.get("status"), found.get("orders")
    return AccountFacts(
        url=wire.account_url,
        status=status if isinstance(status, str) else "",
        contact=tuple(entry for entry in contact if isinstance(entry, str)) if isinstance(contact, list) else (),
        terms_agreed=found.get("termsOfServiceAgreed") is True,
        orders=orders if isinstance(orders, str) else "",
    )
