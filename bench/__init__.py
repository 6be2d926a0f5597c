"""Programs that measure every figure the docs state, as ratios within one run."""
