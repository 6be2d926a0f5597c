"""Shot planning: from a parsed prompt to shots with times."""
