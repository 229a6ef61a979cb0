"""Speed and memory: scripts that print tables, never timed tests."""
