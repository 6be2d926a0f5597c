"""HTTP tools shared by all dialects."""
