"""Pictures for mails, drawn here: bars in pairs as a PNG that needs no network, no font and no library.

The labels stand in the mail's own text: a picture may be blocked, and a screen reader reads none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

WIDTH, HEIGHT = 528, 96
"""As a mail shows it, in its own pixels; drawn twice as large, for sharp screens."""
COLOURS = ("#d92d20", "#12a150")
"""Of the first and the second bar of a pair; both are seen on white and on black."""

_SCALE = 2
_LINE = (152, 162, 179)


def bars(pairs: Sequence[tuple[int, int]]) -> bytes:
    """A PNG of `pairs` from left to right, on a line, on nothing: the mail's background shows."""
    width, height = WIDTH * _SCALE, HEIGHT * _SCALE
    rows = [bytearray(width) for _ in range(height)]
    rows[-1][:] = rows[-2][:] = b"\3" * width
    room, top = height - 4, max((count for pair in pairs for count in pair), default=0) or 1
    step = width / max(1, len(pairs))
    bar = max(1, int(step * 0.36))
    for at, pair in enumerate(pairs):
        for which, count in enumerate(pair):
            left = int(at * step + step * 0.1) + which * (bar + 1)
            for row in rows[room - (max(2, room * count // top) if count else 0) : room]:
                row[left : left + bar] = bytes([which + 1]) * len(row[left : left + bar])
    return _png(width, height, rows)


def _png(width: int, height: int, rows: Sequence[bytearray]) -> bytes:
    """Palette: 0 is transparent, 1 and 2 are the bars, 3 is the line."""
    palette = bytes([0, 0, 0, *(part for colour in COLOURS for part in bytes.fromhex(colour[1:])), *_LINE])
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"tRNS", b"\0"),
        (b"IDAT", pixels),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
