"""The loop's speed: steps beside their floors and beside the ancestors' arithmetic.

`python -m benchmarks.loop` measures; `docs/performance.md` says what the figures mean.
"""
