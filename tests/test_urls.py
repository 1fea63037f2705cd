"""What is a URL of HTTP, and which hosts are near."""

from __future__ import annotations

import pytest

from dnsbroker.settings import Rejected, proxy_url
from dnsbroker.urls import http_parts, is_near


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "10.1.2.3", "fe80::1", "::1", "fd00::1", "::ffff:192.168.0.1"]
)
def test_this_machine_and_its_own_networks_are_near(host: str) -> None:
    """A loopback, private or link-local address, also one of IPv4 in IPv6."""
    assert is_near(host)


@pytest.mark.parametrize(
    "host", ["example.org", "localhost.example.org", "8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", ""]
)
def test_others_are_not_near(host: str) -> None:
    """The negative twin: no name is, wherever it leads."""
    assert not is_near(host)


@pytest.mark.parametrize("raw", ["http://h", "https://u:p@h:8443/path"])
def test_a_url_of_http_has_parts(raw: str) -> None:
    """With a host, and a port that can be one; a proxy's may hold a password."""
    parts = http_parts(raw)
    assert parts is not None
    assert parts.hostname == "h"
    assert proxy_url(raw) == raw


@pytest.mark.parametrize("raw", ["h:80", "ftp://h", "http://", "http://u:s3cret@h:0", "http://u:s3cret/@h:x", 80, None])
def test_other_text_has_none(raw: object) -> None:
    """The negative twin; and no proxy's password is repeated."""
    assert http_parts(raw) is None
    with pytest.raises(Rejected) as caught:
        proxy_url(raw)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
