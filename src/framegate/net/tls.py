"""Trusted TLS certificates, read once per process."""

import logging
import ssl
from functools import cache
from pathlib import Path

import httpx2

from framegate.config.environment import environment

_log = logging.getLogger(__name__)

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
HINT = "If an authority of your own issued it, set `ca_bundle` to a PEM file with the authority's certificate."


@cache
def trusted_certificates(ca_bundle: Path | None = None) -> ssl.SSLContext:
    """TLS context of outgoing connections; reading the certificates takes as long as a request.

    It trusts the authorities of the system, those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and those of `ca_bundle`.
    """
    context = httpx2.create_ssl_context(trust_env=False)
    file, folder = (environment().get(name) or None for name in VARIABLES)
    if file or folder:
        try:
            context.load_verify_locations(cafile=file, capath=folder)
        except OSError as error:
            _log.warning("The certificates of %s cannot be read: %s", " and ".join(VARIABLES), error)
    if ca_bundle is not None:
        context.load_verify_locations(cafile=str(ca_bundle))
    return context


def certificate_problem(error: BaseException) -> str:
    """Return what to say of a connection that failed because of the server's certificate; empty for other errors."""
    return f"Its certificate is not trusted. {HINT}" if "certificate" in str(error).lower() else ""
