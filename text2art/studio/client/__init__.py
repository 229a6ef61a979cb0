"""A studio's HTTP API for programs: typed, and of whatever version answers.

Nothing here knows the settings: what there is to choose from is asked for.
"""
