"""Outgoing HTTP: SSRF guard, fetcher, vendor client, resumable downloads."""
