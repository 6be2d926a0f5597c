"""Output: shots, timeline, encoder."""
