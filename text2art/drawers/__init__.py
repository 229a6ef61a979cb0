"""Drawers: pictures as differentiable functions of their own parameters. Free of torch itself."""
