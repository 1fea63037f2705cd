"""An endpoint on the command line: ``smtp://mail.example.org``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dnsbroker.endpoints import Endpoint


class EndpointType(click.ParamType["Endpoint"]):
    """``smtp://mail.example.org``, in any form that people write it in."""

    name = "endpoint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Endpoint:
        """The endpoint meant; a usage error where it is none."""
        from dnsbroker.endpoints import parse
        from dnsbroker.settings import Rejected

        try:
            return parse(str(value))
        except Rejected as error:
            self.fail(f"{error}; {error.hint}" if error.hint else str(error), param, ctx)
