"""Losses: what was seen, as one number. Import the modules, not this package."""
