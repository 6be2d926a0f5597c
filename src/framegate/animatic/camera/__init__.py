"""Camera: framing, paths, handheld sway, and the momentum of a source video."""
