"""Named references in prompts: mentions and their rewriting."""
