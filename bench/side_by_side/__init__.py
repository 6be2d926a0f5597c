"""Nine behaviours that cost money or lose work, measured at Framegate and at LiteLLM's proxy, in one table."""
