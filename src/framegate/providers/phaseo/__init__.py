"""Provider: Phaseo."""
