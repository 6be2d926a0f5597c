"""Telemetry: logging."""
