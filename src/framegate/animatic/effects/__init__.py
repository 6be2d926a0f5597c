"""Effects: color grade, weather, film."""
