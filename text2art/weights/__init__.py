"""The weights registry and safe reading of checkpoints. Import the modules, not this package."""
