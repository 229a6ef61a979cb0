"""The parts of the Triton backend that run on the device: one program per path, or per 16x16 tile.

Nothing here has a size that depends on the numbers of a scene, so that nothing waits for the device
and everything can be part of a CUDA graph. Places for vertices are set aside for `MOST_LINES` lines
of every segment, and lists of paths are made anew by each program for each of its tiles.

Sums over tiles are added up by atomic additions of whole numbers, whose order does not matter: see
`fixed`. So the same scene gives the same bits, always.

What kernels are given has the same name everywhere. Sizes: n paths, P points, S segments, V places
for vertices.

    points (P, 2), width (n,), color (n, 4)      as they were given
    corner (n + 1,)       where each path begins among the points
    piece (n + 1,)        where each path begins among the segments
    slot (n,)             where each path begins among the vertices
    closed (n,)           1 for fills, 0 for strokes
    lines (S,)            how many lines each segment is cut into
    vertices (V, 2)       the polylines
    count (n,)            how many lines each path has
    radius (n,), ink (n, 4)                      half the width, and the color, made safe to draw
    box (n, 4)            the pixels that a path can touch: left, top, right, bottom
    around (n,)           fills: 1 or -1, their sense of rotation
    tiled (n,)            1 for fills that are tiles: see `kernels.tiles`
    picture (4, H, W)     color times alpha
    vertex_sums (V, 2), path_sums (n, 5)         gradients as whole numbers; of a path those of
                          its red, green, blue, opacity and radius
    scale (2,)            how many steps a gradient of 1 has, and one over it

and `grad_` before a name is the gradient of it. Coverage and what depends on it has the axes
(rows, columns, lines), each `TILE` or `LINES` long.
"""
