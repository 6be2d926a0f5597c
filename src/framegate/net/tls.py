"""Trusted TLS certificates, read once per process."""

import ssl
from functools import cache

import httpx2


@cache
def trusted_certificates() -> ssl.SSLContext:
    """TLS context of every outgoing connection; reading the certificates takes as long as a request."""
    return httpx2.create_ssl_context(trust_env=False)
