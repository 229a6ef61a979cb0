"""The compiled parts of the CPU backend: plain loops over arrays, one path or row after another.

Each path, or row of pixels, is worked on by itself and writes to a place of its own, so that the
result has the same bits however many threads share the work: every function does the items from
`start` to `stop`.

What they are given has the same name everywhere. Sizes: n paths, P points, S segments, V vertices
of polylines, R rows of paths (a row of one path's pixels), F covered pixels.

    points (P, 2), controls (4, S), lines (S,)   cubics, and how many lines each is cut into
    first_line (S,)       where each segment's vertices begin
    vertices (V, 2)       the polylines, path after path
    first (n + 1,)        where each path's vertices begin
    closed (n,)           fills; the others are strokes
    radius (n,), color (n, 4), tiled (n,)        half the stroke width; straight alpha; see `tiles`
    softness              side of the box over which coverage is averaged
    top (n,)              first image row of each path
    rows (n + 1,)         where each path's rows begin
    low (R,), high (R,)   first column of each row, and the end of its columns
    at (R + 1,)           where each row's pixels begin, in multiples of BLOCK
    strips (V, 9)         of each line: what `strokes.sides` says, the range of y of its strip, and
                          the larger and the smaller part of its direction
    coverage (F,)         of each pixel
    nearest (F,)          strokes: the line of each pixel on an edge, NO_LINE for others
    signs (F,)            fills: how coverage follows the winding number, 1, -1, or 0 for not
    begin (H + 1,), order (R,)                   rows of paths by image row, in painter's order
    owner (R,)            the path of each row of a path
    picture (4, H, W)     color times alpha

and `grad_` before a name is the gradient of it.
"""
