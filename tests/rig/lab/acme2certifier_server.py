"""acme2certifier behind TLS on loopback, as a program: ``python -m lab.acme2certifier_server DIR ADDRESS PORT``.

Rule: the WSGI application is the program's own, untouched. Its configuration, the listener's certificate and the
revocation list are in DIR. Refused: any address but the one given; the list alone is plain HTTP, on the next port.
"""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import sys
import threading
from pathlib import Path
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from cryptography.hazmat.primitives.serialization import Encoding

from lab.private_ca import read_crl

CONNECTION_SECONDS = 20


class Listener(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each connection, which does the handshake as well."""

    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection whose handshake is still to come."""
        connection, peer = super().get_request()
        connection.settimeout(CONNECTION_SECONDS)
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line is enough for a client that went away."""
        print(f"connection from {client_address[0]}: {sys.exception()}", file=sys.stderr)


class Request(WSGIRequestHandler):
    """Tells the application that it is behind TLS, and asks no resolver who is there."""

    def address_string(self) -> str:
        """The address."""
        return str(self.client_address[0])

    def get_environ(self) -> dict[str, Any]:
        """What wsgiref derives the scheme of URLs from."""
        return {**super().get_environ(), "HTTPS": "on"}


class List(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the revocation list."""

    directory: Path

    def do_GET(self) -> None:
        """In DER, as a distribution point must (RFC 5280, section 4.2.1.13)."""
        body = read_crl(self.directory).public_bytes(Encoding.DER)
        self.send_response(200)
        self.send_header("Content-Type", "application/pkix-crl")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(directory: Path, address: str, port: int) -> None:
    """Serve until it is ended; ``ACME_SRV_CONFIGFILE`` in the environment says how."""
    # Importing it reads its configuration and makes its database.
    from acme2certifier.share.acme2certifier_wsgi import application  # type: ignore[import-untyped] # it has no types

    ServerHandler.server_software = "acme2certifier"
    List.directory = directory
    lists = http.server.ThreadingHTTPServer((address, port + 1), List)
    threading.Thread(target=lists.serve_forever, name="lists", daemon=True).start()
    listener = Listener((address, port), Request)
    listener.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    listener.tls.load_cert_chain(directory / "listener.pem", directory / "listener.key")
    listener.set_app(application)
    listener.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
