"""What dns-lexicon's drivers raise, said as our errors: their own words, without a secret, and what to do next.

Most drivers raise bare exceptions, so what kind of trouble it is follows from the HTTP status where there is one, from
the class where it says something, and else from what was being done.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote, quote_plus, urlsplit

from dnsbroker.errors import (
    AuthRejected,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    ZoneMissing,
)
from dnsbroker_lexicon.driver import UnknownOption
from dnsbroker_lexicon.plan import Edit, Mismatch, Place, Standing

_LONGEST = 300
_MASK = "***"
#: What has fewer letters is in any text by chance, and keeps nobody out.
_SHORTEST = 4
#: Seconds to wait where a service says that it is asked too often, and not for how long.
_PAUSE = 60.0
#: An octet as a URL escapes it (RFC 3986 section 2.1), in either case.
_ESCAPED = re.compile("%[0-9A-F]{2}")
_UNREACHED = frozenset({"Timeout", "ConnectionError", "SSLError"})
_UNSENDABLE = frozenset({"MissingSchema", "InvalidSchema", "InvalidURL", "InvalidHeader", "InvalidProxyURL"})
_DEFECTS = (TypeError, KeyError, AttributeError, IndexError)


@contextlib.contextmanager
def unsent() -> Iterator[None]:
    """No change has been sent within: an error that leaves says that nothing was done."""
    try:
        yield
    except ProviderError as error:
        error.nothing_done = True
        raise


@dataclass(frozen=True)
class Blame:
    """Whom an error names: the provider, the service by lexicon's name, the zone. ``secrets`` are kept out of it."""

    provider: str
    service: str
    zone: str
    secrets: Sequence[str] = field(default=(), repr=False)

    def translated(self, error: Exception, rrset: str = "") -> ProviderError:
        """Our error for ``error``, which a driver raised: while it wrote ``rrset``, or else before that."""
        status, words = _status(error), self.words(error)
        if status:
            return self._answered(status, words, _retry_after(error), rrset)
        kinds = {cls.__name__ for cls in type(error).__mro__}
        if isinstance(error, UnknownOption):
            return self._unknown(error)
        if isinstance(error, ImportError):
            extra = f"pip install 'dns-lexicon[{self.service}]'"
            return self._error(f"its driver lacks a library: {words}", f"{extra} where dnsbroker is installed")
        if kinds & _UNSENDABLE:
            return self._error(words, "correct the options of this provider: an address among them cannot be used")
        if "JSONDecodeError" in kinds:  # which in requests is an OSError
            return self._unreadable(rrset)
        if kinds & _UNREACHED or isinstance(error, OSError):
            return self._unreached(error, rrset)
        if "AuthenticationError" in kinds:
            hint = "check the secrets and options, and that the account holds the zone: it may be either"
            return AuthRejected(f"{self.service}: {words}", provider=self.provider, zone=self.zone, hint=hint)
        if isinstance(error, _DEFECTS):
            hint = "an option is missing, or dns-lexicon's driver does not fit what the service answers today"
            return self._error(f"its driver failed with {type(error).__name__}: {words}", hint)
        if rrset:
            return self._rejected(words, rrset, "")
        return self._error(words, "check the secrets and options, and that the account holds the zone")

    def words(self, error: Exception) -> str:
        """What ``error`` says, in one line and without a secret."""
        body = getattr(getattr(error, "response", None), "text", "")
        parts = [str(error), body if isinstance(body, str) else ""]
        return self._line(" ".join(part for part in parts if part)) or type(error).__name__

    def _line(self, text: str) -> str:
        """``text`` as one line that is not too long; cut last, for half a secret is not found any more."""
        scrubbed = self._scrubbed(text)
        line = " ".join("".join(char if char.isprintable() else " " for char in scrubbed).split())
        return line[:_LONGEST].rstrip(".")

    def _scrubbed(self, text: str) -> str:
        forms = {form for secret in self.secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _MASK)
        return text

    def _error(self, message: str, hint: str) -> ProviderError:
        return ProviderError(f"{self.service}: {message}", provider=self.provider, zone=self.zone, hint=hint)

    def _unreached(self, error: Exception, rrset: str) -> ProviderUnavailable:
        host = urlsplit(str(getattr(getattr(error, "request", None), "url", ""))).hostname
        words = (f"{host}: " if host else "") + (self._line(_system_words(error)) or self.words(error))
        hint = "look whether it can be reached from here; whether a change was made, the next run finds out"
        said = f"{self.service}: {words}"
        return ProviderUnavailable(said, provider=self.provider, zone=self.zone, rrset=rrset, hint=hint)

    def _unreadable(self, rrset: str) -> ProviderUnavailable:
        said = f"{self.service}: what answered is no JSON"
        hint = (
            "see that the address among the options is the service's, and that nothing on the way answers in its place;"
            " whether a change was made, the next run finds out"
        )
        return ProviderUnavailable(said, provider=self.provider, zone=self.zone, rrset=rrset, hint=hint)

    def _unknown(self, error: UnknownOption) -> ProviderError:
        near = difflib.get_close_matches(error.name, error.known, 1, 0.0)
        hint = f"known are {', '.join(error.known)}"
        return self._error(f"{error.name} is no option of it; the nearest is {near[0]}", hint)

    def _answered(self, status: int, words: str, retry_after: float | None, rrset: str) -> ProviderError:
        """By the status of the service's HTTP reply."""
        said = f"{self.service}: {words}"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            hint = "check the secrets, and what the account may do"
            return AuthRejected(said, provider=self.provider, zone=self.zone, hint=hint)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = _PAUSE if retry_after is None else retry_after
            hint = "dns-lexicon needs requests for every name: an adapter of its own for this service needs fewer"
            return RateLimited(said, provider=self.provider, retry_after=wait, zone=self.zone, hint=hint)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            hint = "the service has a trouble of its own; try again later"
            return ProviderUnavailable(said, provider=self.provider, zone=self.zone, rrset=rrset, hint=hint)
        if rrset:
            return self._rejected(words, rrset, str(status))
        if status == HTTPStatus.NOT_FOUND:
            return self.missing(said)
        return self._error(words, "check the secrets and options, and that the account holds the zone")

    def _rejected(self, words: str, rrset: str, status: str) -> RecordRejected:
        return RecordRejected(
            f"{self.service} refuses {rrset}: {words}",
            provider=self.provider,
            zone=self.zone,
            rrset=rrset,
            status=status,
            detail=words,
            hint="dns-lexicon's driver or the service does not take it: it may know no such type, or no TTL so low",
        )

    def missing(self, message: str) -> ZoneMissing:
        """The service, or the configuration, does not have the zone."""
        shown = self.zone.rstrip(".")
        hint = f'add "{shown}" to the zones of this provider, if {self.service} holds it'
        return ZoneMissing(message, provider=self.provider, zone=self.zone, tried=(self.zone,), hint=hint)

    def outside(self, name: str) -> RecordRejected:
        """``name`` is not in the zone."""
        hint = "name the zone that holds it"
        return RecordRejected(f"{name} is not in it", provider=self.provider, zone=self.zone, rrset=name, hint=hint)

    def unusable(self, message: str, hint: str) -> RecordRejected:
        """A name or a value that is none."""
        return RecordRejected(message, provider=self.provider, zone=self.zone, hint=hint or "correct it")

    def late(self, seconds: float) -> ProviderUnavailable:
        """Nothing came back in time."""
        return ProviderUnavailable(
            f"{self.service} did not answer dns-lexicon within {seconds:g} s",
            provider=self.provider,
            zone=self.zone,
            hint="whether a change was made is not known; the next run finds out",
        )

    def mismatch(self, error: Mismatch) -> Conflict:
        """A Swap found something else than it took for granted."""
        standing = error.standing
        hint = "somebody else writes there too: look, then start again"
        return self._conflict("is not what the change expects", standing, error.expected, standing.values, hint)

    def lost(self, edit: Edit, after: Standing) -> Conflict:
        """Values of others have gone while ours were written."""
        gone = ", ".join(sorted(edit.lost(after)))
        hint = (
            f"put back {gone}; if dns-lexicon's driver for {self.service} replaces what stands at a name, delegate"
            " the name by a CNAME to a zone of its own"
        )
        return self._conflict("lost values of somebody else", after, edit.before.values, after.values, hint)

    def strange(self, edit: Edit, after: Standing) -> Conflict:
        """Values of others have come while all was to be ours."""
        hint = "somebody else writes there too: look, then start again"
        return self._conflict("got other values meanwhile", after, edit.wanted, after.values, hint)

    def unmade(self, edit: Edit, after: Standing) -> ProviderUnavailable:
        """The driver said that all was done, and its list does not show it."""
        name, type = edit.before.place
        return ProviderUnavailable(
            f"{self.service} does not show at {name} {type} what was written: {', '.join(sorted(edit.unmade(after)))}",
            provider=self.provider,
            zone=self.zone,
            rrset=f"{name} {type}",
            hint="try again: its list may be late; if that does not help, its driver keeps one value at a name only",
        )

    def _conflict(
        self, message: str, standing: Standing, expected: frozenset[str], found: frozenset[str], hint: str
    ) -> Conflict:
        rrset = shown(standing.place)
        return Conflict(
            f"{rrset} {message}",
            provider=self.provider,
            zone=self.zone,
            rrset=rrset,
            expected=sorted(expected),
            found=sorted(found),
            hint=hint,
        )


def shown(place: Place) -> str:
    """A place for errors: name and type."""
    return f"{place[0]} {place[1]}"


def _forms(secret: str) -> Iterator[str]:
    """``secret`` as services and libraries write it: as it is, in URLs, in JSON, in Python's own notation."""
    # What was read from a file often has a line end, which a service does not repeat.
    for text in {secret, secret.strip()}:
        for form in (text, quote(text, safe=""), quote_plus(text)):
            yield form
            yield _ESCAPED.sub(lambda found: found[0].lower(), form)
        for form in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):
            yield form
            yield form.replace("/", r"\/")


def _system_words(error: BaseException) -> str:
    """What the operating system said at the bottom of ``error``, or empty: HTTP libraries wrap it many times."""
    at_bottom = [each for each in _layers(error) if isinstance(each, OSError)][-1:]
    return next((each.strerror.lower() if each.strerror else str(each) for each in at_bottom), "")


def _layers(error: BaseException) -> Iterator[BaseException]:
    """``error`` and all that it wraps, the innermost last."""
    seen: list[BaseException] = []
    inner: object = error
    while isinstance(inner, BaseException) and inner not in seen:
        seen.append(inner)
        inner = inner.__cause__ or inner.__context__
    return iter(seen)


def _status(error: Exception) -> int:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return status if isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST else 0


def _retry_after(error: Exception) -> float | None:
    """Seconds, where the reply says them in the plain form (RFC 9110 section 10.2.3)."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("Retry-After", ""))
    return float(value) if value.isascii() and value.isdecimal() else None
