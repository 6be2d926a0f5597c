"""Pictures: decoding, subject and depth estimation, cut-outs, composites, palettes, sampling and morphs."""
