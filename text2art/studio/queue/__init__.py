"""The queue: one seam (`base`), two engines (`lease`, `procrastinate`) on the same rows."""
