"""Provider: the built-in renderer."""
