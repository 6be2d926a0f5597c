"""Kills the gateway while it orders from a paid service that goes wrong in every way, and counts the orders there."""
