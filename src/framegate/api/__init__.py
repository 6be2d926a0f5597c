"""Inbound HTTP: authentication, middleware, HTTP tools, dialects."""
