"""Measure whether pictures show what was asked, by an eye that had no part in drawing them.

`python -m benchmarks.quality rank|compare|sheet|score`; docs/quality.md explains the questions.
"""
