"""Provider: fal."""
