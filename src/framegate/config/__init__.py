"""Settings: environment variables and framegate.toml."""
