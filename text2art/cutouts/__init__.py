"""Cutouts: the random looks taken at a picture. Import the modules, not this package."""
