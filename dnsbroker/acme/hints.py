"""What to do next when the CA, or the way to it, says no: one sentence for each reason.

Pure words. A refusal of a request and a failed validation are different tables: the same type, such as
``unauthorized``, has another cause in each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dnsbroker.names import challenge_name, shown
from dnsbroker.transport import HTTPFailed

THEIR_FAULT = "the fault is the CA's: try again later"
BINDING_WANTED = (
    "set eab_kid and eab_hmac_key to what the CA gave you (its site calls it external account binding, or EAB), "
    "and run the command again"
)
BINDING_REFUSED = (
    "compare eab_kid, eab_hmac_key and eab_algorithm with what the CA gave you; many CAs let a key bind one account "
    "only, or for a few days: get a new one there"
)
_ACCOUNT_KEY = "the CA does not accept the account's key: move its directory below state_dir/accounts away"
#: How a CA that pauses an account for failing too often says where to end that.
_UNPAUSE = re.compile(r"https://[^\s<>\"]*unpause[^\s<>\"]*")
_REFUSED = {
    "accountDoesNotExist": (
        "the account below state_dir/accounts belongs to another CA or was deleted there: move its directory away, "
        "and the next run registers a new one"
    ),
    "alreadyReplaced": "another certificate has replaced this one at the CA: order without saying what is replaced",
    "alreadyRevoked": "nothing is left to do: the certificate is revoked",
    "badCSR": "choose another key_type, or a new key with --new-key: the CA does not accept this one",
    "badNonce": "the CA keeps refusing its own nonces: try again later",
    "badPublicKey": _ACCOUNT_KEY,
    "badRevocationReason": "choose another --reason: the CA does not take this one",
    "badSignatureAlgorithm": _ACCOUNT_KEY,
    "caa": "publish a CAA record that names this CA, or remove those that exclude it",
    "externalAccountRequired": BINDING_WANTED,
    "conflict": "the key belongs to another account: take another one",
    "invalidContact": "correct acme.contact: mail addresses, or an empty list",
    "invalidProfile": "choose another profile, of those that the CA's directory names, or none",
    "malformed": "the CA did not understand the request: compare acme.directory with the CA's documentation",
    "rateLimited": "wait an hour or more before the next attempt: the CA's words name the limit",
    "rejectedIdentifier": "the CA does not issue for this name: correct names, or choose another acme.directory",
    "serverInternal": THEIR_FAULT,
    "unauthorized": (
        "the CA does not let this account do that: do its key and URL not match, or was it deactivated (then "
        "`dnsbroker account deactivate` puts its key aside, and `dnsbroker account register` makes a new one)"
    ),
    "unsupportedContact": "correct acme.contact: mail addresses, or an empty list",
    "unsupportedIdentifier": "the CA does not issue for this kind of name: choose another acme.directory",
    "userActionRequired": "the CA wants its new terms of service agreed to",
}


def paused(kind: str, detail: str) -> str:
    """What to do where the CA's words in ``detail`` say that no wait will help; empty where they do not."""
    page = _UNPAUSE.search(detail) if kind == "rateLimited" else None
    return f"the CA issues nothing for these names until you say that the cause is gone: open {page[0]}" if page else ""


def refused(kind: str, instance: str = "") -> str:
    """What to do after the CA refused a request with a problem of type ``kind``; empty if nobody knows.

    ``instance`` is the URL that came with it for a person (RFC 8555 section 7.3.3), or empty.
    """
    hint = _REFUSED.get(kind, "")
    if not instance:
        return hint
    return f"{hint}: open {instance}" if hint else f"open {instance}"


def unrevoked(kind: str, *, by_own_key: bool) -> str:
    """What to do after a revocation was refused with a problem of type ``kind``; empty if the usual hint will do."""
    if kind not in ("unauthorized", "malformed"):
        return ""
    if by_own_key:
        return "the CA does not know the certificate, or the key is not the certificate's: was it issued by this CA"
    return "the certificate was ordered by another account, or at another CA: revoke it with its own private key"


def invalid(kind: str, identifier: str, issuers: Sequence[str] = ()) -> str:
    """What to do after the validation of ``identifier`` failed with a problem of type ``kind``.

    ``issuers`` are the names by which CAA records call this CA (``caaIdentities`` of its directory).
    """
    if kind == "caa":
        return _caa(identifier, issuers)
    where = shown(challenge_name(identifier))
    return {
        "dns": (
            f"the CA's resolvers could not look up {where}: is the delegation complete, is DNSSEC in order, and can "
            "every name server be reached from the internet"
        ),
        "dnssec": f"DNSSEC is broken on the way to {where}: repair the signatures or the DS record",
        "connection": "every name server must answer the whole internet on port 53, by UDP and by TCP",
        "rateLimited": "wait an hour before the next attempt",
        "serverInternal": THEIR_FAULT,
    }.get(
        kind,
        f"the CA did not see our value at {where}: does the internet see other name servers than those asked here "
        "(split horizon: dns.servers), or an old answer still in the CA's cache",
    )


def _caa(identifier: str, issuers: Sequence[str]) -> str:
    tag = "issuewild" if identifier.startswith("*.") else "issue"
    owner = identifier.removeprefix("*.") + "."
    if not issuers:
        return f"add a CAA record with the tag {tag} for this CA at {owner} or above"
    return f'add the record: {owner} CAA 0 {tag} "{issuers[0]}"'


def unanswered(failed: HTTPFailed) -> str:
    """What to do when there was no usable HTTP reply."""
    if failed.untrusted:
        return "if the CA has a root of its own, name its PEM file in acme.ca_bundle"
    if failed.proxy:
        return f"the way went through the proxy {failed.proxy}: correct acme.proxy or the environment's https_proxy"
    return "check the URL in acme.directory and this host's way to the internet; a proxy is set with acme.proxy"
