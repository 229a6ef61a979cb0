"""Pictures and videos in and out. Import the modules, not this package."""
