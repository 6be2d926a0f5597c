"""Pictures: planes, depth, cut-outs, morphs."""
