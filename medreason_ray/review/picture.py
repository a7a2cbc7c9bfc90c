"""Edges -> a drawing as SVG: nodes in columns by their hops from where one starts, each edge an arrow with its phrase."""

from collections.abc import Collection, Mapping, Sequence
from html import escape

Edge = tuple[str, str, str]
"""Name, phrase, name; read from the first to the second."""

_COLUMN, _ROW, _WIDTH, _HEIGHT = 330, 86, 180, 36
_LETTERS = 26


def picture(edges: Sequence[Edge], starts: Collection[str] = ()) -> str:
    """The drawing, complete in itself; whatever comes from data is escaped.

    Args:
        edges: drawn in their order; parallel ones share an arrow.
        starts: names in the first column; what no edge joins to them, and all where none is given, begin there too.
    """
    places = _places(edges, starts)
    joined: dict[tuple[str, str], list[str]] = {}
    for src, phrase, dst in edges:
        joined.setdefault((src, dst), []).append(phrase)
    width = _COLUMN * (1 + max((x for x, _ in places.values()), default=0)) - _COLUMN + _WIDTH + 20
    height = _ROW * (1 + max((y for _, y in places.values()), default=0))
    arrows = [_arrow(places[src], places[dst], "; ".join(said)) for (src, dst), said in joined.items()]
    boxes = [_box(name, place) for name, place in places.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
        ' font-family="sans-serif" font-size="12"><defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#667"/></marker></defs>'
        f"{''.join(arrows)}{''.join(boxes)}</svg>"
    )


def _places(edges: Sequence[Edge], starts: Collection[str]) -> Mapping[str, tuple[int, int]]:
    """Column and row of each node, by breadth first search over the edges in both directions."""
    beside: dict[str, list[str]] = {}
    for src, _, dst in edges:
        beside.setdefault(src, []).append(dst)
        beside.setdefault(dst, []).append(src)
    places: dict[str, tuple[int, int]] = {}
    filled: dict[int, int] = {}
    for first in [*(name for name in beside if name in starts), *beside]:
        queue = [] if first in places else [(first, 0)]
        for name, column in queue:
            if name in places:
                continue
            row = filled.get(column, 0)
            filled[column] = row + 1
            places[name] = (column, row)
            # A start reached from another stays in the first column.
            queue += [(other, 0 if other in starts else column + 1) for other in beside[name] if other not in places]
    return places


def _box(name: str, place: tuple[int, int]) -> str:
    x, y = place[0] * _COLUMN + 10, place[1] * _ROW + 20
    shown = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    return (
        f'<g><title>{escape(name)}</title><rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#eef3fb"'
        f' stroke="#4a6fa5"/><text x="{x + _WIDTH // 2}" y="{y + 22}" text-anchor="middle" fill="#123">{escape(shown)}</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], said: str) -> str:
    (x1, y1), (x2, y2) = ((x * _COLUMN + 10, y * _ROW + 20) for x, y in (start, end))
    if start[0] == end[0]:
        x1, x2 = x1 + _WIDTH // 2, x2 + _WIDTH // 2
        y1, y2 = (y1 + _HEIGHT, y2) if y1 < y2 else (y1, y2 + _HEIGHT)
    else:
        x1, x2 = (x1 + _WIDTH, x2) if x1 < x2 else (x1, x2 + _WIDTH)
        y1, y2 = y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#667" marker-end="url(#tip)"/>'
        f'<text x="{(x1 + x2) // 2}" y="{(y1 + y2) // 2 - 6}" text-anchor="middle" fill="#445">{escape(said)}</text>'
    )
