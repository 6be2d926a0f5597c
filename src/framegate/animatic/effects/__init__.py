"""Effects: light and color grade, weather particles and fog, film grain, flicker and vignette."""
