"""Ambient sound: synthesized layers and their mix."""
