"""The part of acme2certifier that issues: its handler for a CA kept in files, with what every public CA has besides.

Rule: certificates are made and revoked by the program's own code. Added are lifetimes below a day, the place of the
revocation list in each certificate, and a list that has not run out at the moment it is signed. Refused: being imported
by anything but acme2certifier, whose configuration names it.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from acme2certifier.acme_srv.helper import load_config  # type: ignore[import-untyped] # it has no types
from acme2certifier.cahandlers import openssl_ca_handler  # type: ignore[import-untyped] # it has no types
from cryptography import x509

from lab.private_ca import read_crl, write_crl


class CAhandler(openssl_ca_handler.CAhandler):  # type: ignore[misc] # what it is built on has no types
    """acme2certifier looks for a class of this name."""

    def _config_load(self) -> None:
        super()._config_load()
        section = load_config(self.logger, "CAhandler")["CAhandler"]
        self.lifetime = datetime.timedelta(seconds=float(section["lifetime_seconds"]))
        self.crl_url = section.get("crl_url", "")

    def _certexpiry_date_default(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + self.lifetime

    def _cert_extension_default(
        self, ca_cert: x509.Certificate, req: x509.CertificateSigningRequest
    ) -> list[dict[str, Any]]:
        extensions: list[dict[str, Any]] = super()._cert_extension_default(ca_cert, req)
        if self.crl_url:
            place = x509.DistributionPoint([x509.UniformResourceIdentifier(self.crl_url)], None, None, None)
            extensions.append({"name": x509.CRLDistributionPoints([place]), "critical": False})
        return extensions

    def revoke(
        self, cert_pem: str, rev_reason: str = "unspecified", rev_date: str | None = None
    ) -> tuple[int, str | None, str | None]:
        """Its own answer; the list that it has signed is signed once more, for longer."""
        answer: tuple[int, str | None, str | None] = super().revoke(cert_pem, rev_reason, rev_date)
        directory = Path(self.issuer_dict["issuing_ca_crl"]).parent
        write_crl(directory, read_crl(directory))
        return answer
