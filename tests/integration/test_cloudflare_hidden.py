"""Universal SSL's own values, which Cloudflare serves and its API does not list: they disturb nobody."""

from __future__ import annotations

from collections.abc import Callable

from cloudflare.delegated import Delegated
from lab.processes import look_until
from program import Program

NAME = "_acme-challenge.cloud.test"


def test_a_value_that_only_name_servers_have_disturbs_nobody(
    cloudflare: Delegated, program: Callable[..., Program]
) -> None:
    """Ours is waited for beside it, and three seconds more; then withdrawn by another process. The other stays."""
    zone = cloudflare.delegate("cloud.test")
    cloudflare.hide(zone, NAME, "universal")
    look_until(lambda: cloudflare.values(NAME) == {"universal"}, "the hidden value is served")
    cloudflare.delay = 0.5
    dnsbroker = program({}, {"providers": {"cf": cloudflare.provider()}})
    (seen,) = dnsbroker("--json", "txt", "present", NAME, "ours").succeeded().named("propagated")
    assert seen["seconds"] >= 3
    assert cloudflare.values(NAME) == {"universal", "ours"}
    dnsbroker("txt", "cleanup", NAME, "ours").succeeded()
    assert cloudflare.see(zone) == []
    look_until(lambda: cloudflare.values(NAME) == {"universal"}, "ours is served no more")
