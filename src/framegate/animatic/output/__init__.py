"""Output: prepared shots, the timeline that draws the frames, the encoder, and the source video."""
