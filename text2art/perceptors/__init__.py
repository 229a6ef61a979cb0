"""Perceptors: how near pictures are to words. Import the modules, not this package."""
