"""The API's door: one exchange at a time, every failure a typed error, every list read to its last page.

Rule: each reply is taken for what it is only once it was read whole; no secret is in any message. Nothing is retried
here, and nothing is sent while the service wants to be left alone; a short rest is waited for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import ProviderError, ProviderUnavailable, RateLimited
from dnsbroker.transport import HTTPFailed, Reply, Session
from dnsbroker_cloudflare import refusals
from dnsbroker_cloudflare.credentials import Credentials, Errand, Identity
from dnsbroker_cloudflare.limits import Pace
from dnsbroker_cloudflare.settings import CloudflareSettings

T = TypeVar("T")

_REPLY_LIMIT = 32 * 1024 * 1024
# So many seconds are waited for in the middle of a call, which need not begin again for them.
_SHORT_REST = 10.0
_SLOW = "try again; if it stays so, see the service's status page, and whether anything on the way swallows packets"
_UNREACHED = "see that this host reaches the internet by HTTPS, if need be through a proxy (key proxy)"


class API:
    """The HTTP API with one provider's credentials; safe for concurrent use.

    ``skew`` is by how many seconds this host's clock was ahead of the service's at the last reply; None where unknown.
    """

    def __init__(self, settings: CloudflareSettings, surroundings: Surroundings, timeout: float) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._timeout = timeout
        self._credentials = Credentials(settings, surroundings.provider)
        self._paces: dict[str, Pace] = {}
        self._session: Session | None = None
        self.skew: float | None = None

    def identity(self, errand: Errand) -> Identity:
        """By which credential that is asked."""
        return self._credentials.identity(errand)

    async def get(
        self,
        path: str,
        parse: Callable[[Any], T],
        *,
        errand: Errand = Errand.RECORDS,
        zone: str = "",
        query: Mapping[str, str] | None = None,
    ) -> T:
        """What ``parse`` makes of the reply's document. Raises ProviderError, ConfigError."""
        target = path + (f"?{urlencode(query)}" if query else "")
        return self._parsed(await self._exchange("GET", target, None, errand, zone), parse, zone)

    async def pages(
        self,
        path: str,
        parse: Callable[[Any], T],
        *,
        per_page: int,
        most: int | None = None,
        errand: Errand = Errand.RECORDS,
        zone: str = "",
        query: Mapping[str, str] | None = None,
    ) -> list[T] | None:
        """What ``parse`` makes of each item, of all pages; None where there are more than ``most`` pages.

        Raises ProviderError, a transient one where the list changed while it was read.
        """
        found: list[T] = []
        totals = set()
        page, last = 0, 1
        while page < last:
            page += 1
            asked = {**(query or {}), "per_page": str(per_page), "page": str(page)}
            items, last, total = await self.get(
                path, lambda told: _page(told, parse), errand=errand, zone=zone, query=asked
            )
            if most is not None and last > most:
                return None
            found += items
            totals.add(total)
        if page > 1 and totals != {len(found)}:
            # An item that moved to a page already read would be missed.
            raise ProviderUnavailable(
                "the list changed while it was read",
                provider=self._surroundings.provider,
                zone=zone,
                hint="let fewer programs write to it at once",
            )
        return found

    async def post(self, path: str, document: object, parse: Callable[[Any], T], *, zone: str) -> T:
        """Have something done. Raises ProviderError, ConfigError; unless ``nothing_done``, it may have been done."""
        content = json.dumps(document).encode()
        return self._parsed(await self._exchange("POST", path, content, Errand.RECORDS, zone), parse, zone)

    async def rest(self, errand: Errand) -> None:
        """Wait until something may be sent, if that is soon; every question does so by itself, a change does not."""
        left = self._pace(errand).left()
        if 0 < left <= _SHORT_REST:
            await self._surroundings.clock.sleep(left)

    async def aclose(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.aclose()

    def _parsed(self, document: Any, parse: Callable[[Any], T], zone: str) -> T:
        try:
            return parse(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderError(
                f"{self._settings.base_url} answered with something that Cloudflare would not say",
                provider=self._surroundings.provider,
                zone=zone,
                hint="check base_url, and whether a proxy on the way answers in its place",
            ) from error

    async def _exchange(self, method: str, target: str, content: bytes | None, errand: Errand, zone: str) -> Any:
        """The document of a success, None where there is none."""
        headers = {"accept": "application/json", **await self._credentials.headers(errand)}
        if content is not None:
            headers["content-type"] = "application/json"
        if content is None:
            await self.rest(errand)
        self._keep_still(errand, zone)
        if self._session is None:
            self._session = self._surroundings.connections.session(
                timeout=self._timeout, proxy=self._settings.proxy, body_limit=_REPLY_LIMIT
            )
        try:
            reply = await self._session.request(
                method, self._settings.base_url + target, headers=headers, content=content
            )
        except HTTPFailed as error:
            raise self._unavailable(error, zone) from error
        self._note_date(reply)
        return self._document(reply, errand, zone)

    def _document(self, reply: Reply, errand: Errand, zone: str) -> Any:
        document = _json(reply) if 200 <= reply.status < 300 else {"success": False}
        if not isinstance(document, dict) or document.get("success") is not False:
            self._pace(errand).note(reply.headers, is_refused=False)
            return document
        reply = _cleaned(reply, self._credentials)
        refusal = refusals.read(reply)
        wait = self._pace(errand).note(reply.headers, is_refused=refusal.is_too_many)
        error = refusals.error_for(refusal, reply.headers, self._asked(errand, zone, wait))
        error.nothing_done = refusal.is_final
        raise error

    def _asked(self, errand: Errand, zone: str, wait: float = 0.0) -> refusals.Asked:
        return refusals.Asked(
            self._surroundings.provider,
            zone,
            self._settings.base_url,
            self.identity(errand),
            has_zone_id=bool(self._settings.zone_ids),
            wait=wait,
        )

    def _pace(self, errand: Errand) -> Pace:
        """That of the credential: one for both errands where there is only one."""
        return self._paces.setdefault(self.identity(errand).key, Pace(self._surroundings.clock))

    def _keep_still(self, errand: Errand, zone: str) -> None:
        left = self._pace(errand).left()
        if left:
            error = RateLimited(
                f"{self._settings.base_url} takes no request for {left:.0f} s more, by its own word",
                provider=self._surroundings.provider,
                zone=zone,
                retry_after=left,
                hint="the limit is the user's, so other programs count too: let them ask less",
            )
            error.nothing_done = True
            raise error

    def _note_date(self, reply: Reply) -> None:
        try:
            date = parsedate_to_datetime(reply.headers.get("date", ""))
            self.skew = (self._surroundings.clock.now() - date).total_seconds()
        except (ValueError, TypeError):
            self.skew = None

    def _unavailable(self, error: HTTPFailed, zone: str) -> ProviderUnavailable:
        url = self._settings.base_url
        message = f"{url} cannot be reached: {error.reason}" if not error.reached else f"{url}: {error.reason}"
        hint = _SLOW if error.reached else _UNREACHED
        if error.proxy:
            hint = f"the way went through the proxy {error.proxy}: correct the provider's proxy, or the environment's"
        unavailable = ProviderUnavailable(message, provider=self._surroundings.provider, zone=zone, hint=hint)
        unavailable.nothing_done = not error.reached
        return unavailable


def _page(told: Any, parse: Callable[[Any], T]) -> tuple[list[T], int, int]:
    """The items of one page, how many pages there are, and how many items on all of them."""
    items = [parse(item) for item in told["result"] or ()]
    info = told.get("result_info") or {}
    total = int(info.get("total_count") or len(items))
    return items, int(info.get("total_pages") or 1), total


def _json(reply: Reply) -> Any:
    """What the body says; None where it is no JSON."""
    try:
        return json.loads(reply.body)
    except ValueError:
        return None


def _cleaned(reply: Reply, credentials: Credentials) -> Reply:
    headers = {name: credentials.cleaned(value) for name, value in reply.headers.items()}
    return Reply(reply.status, headers, credentials.cleaned(reply.text()).encode(), reply.links)
