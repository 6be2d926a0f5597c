"""Blob storage: content-addressed files."""
