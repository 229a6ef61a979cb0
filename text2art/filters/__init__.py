"""Filters: change the picture before it is looked at and shown. Import the modules, not this."""
