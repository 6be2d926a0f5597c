"""Providers for GPU servers of the operator."""
