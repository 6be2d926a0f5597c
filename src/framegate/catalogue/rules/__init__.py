"""Validation rules: one module per subject."""
