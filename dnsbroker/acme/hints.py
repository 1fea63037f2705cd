"""What to do next when the CA, or the way to it, says no: one sentence for each reason.

Pure words. A refusal of a request and a failed validation are different tables: the same type, such as
``unauthorized``, has another cause in each.
"""

from __future__ import annotations

from collections.abc import Sequence

from dnsbroker.names import challenge_name, shown
from dnsbroker.transport import HTTPFailed

THEIR_FAULT = "the fault is the CA's: try again later"
_ACCOUNT_KEY = "the CA does not accept the account's key: move its directory below state_dir/accounts away"
_REFUSED = {
    "accountDoesNotExist": (
        "the account below state_dir/accounts belongs to another CA or was deleted there: move its directory away, "
        "and the next run registers a new one"
    ),
    "badCSR": "choose another key_type, or a new key with --new-key: the CA does not accept this one",
    "badNonce": "the CA keeps refusing its own nonces: try again later",
    "badPublicKey": _ACCOUNT_KEY,
    "badSignatureAlgorithm": _ACCOUNT_KEY,
    "caa": "publish a CAA record that names this CA, or remove those that exclude it",
    "externalAccountRequired": (
        "this CA wants external account binding, which this version does not offer: choose another acme.directory"
    ),
    "invalidContact": "correct acme.contact: mail addresses, or an empty list",
    "malformed": "the CA did not understand the request: compare acme.directory with the CA's documentation",
    "rateLimited": "wait an hour or more before the next attempt: the CA's words name the limit",
    "rejectedIdentifier": "the CA does not issue for this name: correct names, or choose another acme.directory",
    "serverInternal": THEIR_FAULT,
    "unauthorized": "the CA does not let this account do that: was it deactivated, or do its key and URL not match",
    "unsupportedContact": "correct acme.contact: mail addresses, or an empty list",
    "unsupportedIdentifier": "the CA does not issue for this kind of name: choose another acme.directory",
    "userActionRequired": "the CA wants its new terms of service agreed to",
}


def refused(kind: str, instance: str = "") -> str:
    """What to do after the CA refused a request with a problem of type ``kind``; empty if nobody knows.

    ``instance`` is the URL that the problem gave for a person (RFC 8555 section 7.3.3), or empty.
    """
    hint = _REFUSED.get(kind, "")
    if not instance:
        return hint
    return f"{hint}: open {instance}" if hint else f"open {instance}"


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
