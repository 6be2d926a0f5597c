"""Shot planning."""
