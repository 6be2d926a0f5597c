"""Outbound webhooks: dispatch, dialect contract, signing."""
