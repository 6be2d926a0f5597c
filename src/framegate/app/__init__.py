"""Composition root: builds the parts of a gateway and serves them."""
