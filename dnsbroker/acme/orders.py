"""Orders, authorizations and dns-01 challenges as values, read from what the CA sends (RFC 8555 section 7.1).

Pure. Read with tolerance: unknown members, challenge types and states stop nothing; a challenge that cannot be used
counts as not offered. Only ``valid`` is success and only ``pending`` and ``processing`` are worth a wait: the rest,
known or not, has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from acme import challenges
from josepy import errors, jwk

from dnsbroker.acme import hints, problem
from dnsbroker.errors import OrderFailed
from dnsbroker.names import shown

WAITING = frozenset({"pending", "processing"})


@dataclass(frozen=True)
class Dns01:
    """A dns-01 challenge: ``value`` is the text of the TXT record that proves control (RFC 8555 section 8.4)."""

    url: str
    token: str
    value: str


@dataclass(frozen=True)
class Authorization:
    """What the CA wants to see before it lets this account name ``identifier`` in a certificate.

    ``identifier`` begins with ``*.`` where ``wildcard`` is set. ``challenge`` is None where dns-01 is not offered, as
    for one that is ``valid`` already. ``problem`` is what the CA says of a failure.
    """

    url: str
    identifier: str
    wildcard: bool
    status: str
    challenge: Dns01 | None
    expires: datetime | None
    problem: problem.Document

    @property
    def is_valid(self) -> bool:
        """Whether nothing is left to prove."""
        return self.status == "valid"

    @property
    def is_pending(self) -> bool:
        """Whether the CA has not decided yet."""
        return self.status in WAITING


@dataclass(frozen=True)
class Order:
    """An order: its ``url`` resumes it until it ``expires``; ``certificate`` is a URL once it is ``valid``.

    ``profile`` is the one that the CA says it follows, empty where it says none.
    """

    url: str
    status: str
    names: tuple[str, ...]
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str
    expires: datetime | None
    problem: problem.Document
    profile: str = ""


def read_order(url: str, found: Mapping[str, object]) -> Order:
    """The order in what JSON gave."""
    listed = found.get("identifiers")
    identifiers = [_text(item, "value") for item in (listed if isinstance(listed, list) else [])]
    return Order(
        url=url,
        status=_text(found, "status"),
        names=tuple(name for name in identifiers if name),
        authorizations=_texts(found.get("authorizations")),
        finalize=_text(found, "finalize"),
        certificate=_text(found, "certificate"),
        expires=_moment(_text(found, "expires")),
        problem=problem.read(found.get("error")),
        profile=_text(found, "profile"),
    )


def read_authorization(url: str, found: Mapping[str, object], key: jwk.JWK) -> Authorization:
    """The authorization in what JSON gave; ``key`` is the account's."""
    name = _text(found.get("identifier"), "value").removeprefix("*.")
    wildcard = found.get("wildcard") is True
    listed = found.get("challenges")
    offered = [item for item in (listed if isinstance(listed, list) else []) if isinstance(item, Mapping)]
    usable = [challenge for challenge in (_dns01(item, key) for item in offered) if challenge]
    return Authorization(
        url=url,
        identifier=f"*.{name}" if wildcard else name,
        wildcard=wildcard,
        status=_text(found, "status"),
        challenge=usable[0] if usable else None,
        expires=_moment(_text(found, "expires")),
        problem=_failure(offered),
    )


def _dns01(item: Mapping[str, object], key: jwk.JWK) -> Dns01 | None:
    try:
        challenge = challenges.Challenge.from_json(item)
    except (errors.DeserializationError, TypeError, AttributeError):
        return None  # of a known type, but without what it needs
    url, token = _text(item, "url"), _text(item, "token")
    # A token that does not come back as it came would yield another value than the CA's.
    if not isinstance(challenge, challenges.DNS01) or challenge.encode("token") != token or not url:
        return None
    return Dns01(url, token, challenge.validation(key))


def _failure(offered: Sequence[Mapping[str, object]]) -> problem.Document:
    """The problem of the challenge that failed; dns-01's first, since it is the one that was tried."""
    by_relevance = sorted(offered, key=lambda item: item.get("type") != "dns-01")
    told = (problem.read(item["error"]) for item in by_relevance if item.get("error"))
    return next(told, problem.Document())


def failed_authorization(authorization: Authorization, host: str, issuers: Sequence[str] = ()) -> OrderFailed:
    """The error for an authorization that will not become valid; the CA at ``host`` says why."""
    told = authorization.problem
    kind = told.type or authorization.status or "no status"
    summary = told.summary() if told.detail or told.subproblems else f"the authorization is {kind}"
    return OrderFailed(
        f"{host} could not validate {shown(authorization.identifier)}: {summary} ({kind})",
        problem_type=told.type,
        detail=told.detail,
        identifier=authorization.identifier,
        subproblems=told.subproblems,
        hint=hints.invalid(told.type, authorization.identifier, issuers)
        if authorization.status == "invalid"
        else "run the command again: it opens a new order",
    )


def failed_order(order: Order, host: str) -> OrderFailed:
    """The error for an order that will not become valid."""
    told = order.problem
    kind = told.type or order.status or "no status"
    names = ", ".join(shown(name) for name in order.names)
    return OrderFailed(
        f"{host} gave up the order for {names}: {told.summary()} ({kind})",
        problem_type=told.type,
        detail=told.detail,
        subproblems=told.subproblems,
        hint=hints.refused(told.type, told.instance) or "run the command again: it opens a new order",
    )


def _text(found: object, key: str) -> str:
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
