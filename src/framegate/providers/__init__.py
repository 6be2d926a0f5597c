"""One file for each service or engine that makes a video."""
