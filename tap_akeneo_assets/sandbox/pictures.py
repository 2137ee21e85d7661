"""Small files with real bytes, made with the standard library: PNG pictures, SVG logos, PDF documents."""

import struct
import zlib
from collections.abc import Callable
from functools import cache

Colour = tuple[int, int, int]

SIDE = 96
WHITE: Colour = (255, 255, 255)
FLOOR: Colour = (225, 225, 228)
INK: Colour = (70, 70, 76)
MAX_LABEL = 11
FLOOR_LINE = 78


def _box(left: int, top: int, right: int, bottom: int) -> Callable[[int, int], bool]:
    return lambda x, y: left <= x < right and top <= y < bottom


def _disc(x0: int, y0: int, radius: int) -> Callable[[int, int], bool]:
    return lambda x, y: (x - x0) ** 2 + (y - y0) ** 2 <= radius**2


def _ring(x0: int, y0: int, outer: int, inner: int) -> Callable[[int, int], bool]:
    return lambda x, y: inner**2 < (x - x0) ** 2 + (y - y0) ** 2 <= outer**2


def _cone(middle: int, top: int, bottom: int, half: int) -> Callable[[int, int], bool]:
    return lambda x, y: top <= y < bottom and abs(x - middle) * (bottom - top) <= half * (y - top + 8)


#: What a product looks like: the shapes that it is put together from, in a square of 96 pixels.
PRODUCTS: dict[str, tuple[Callable[[int, int], bool], ...]] = {
    "mug": (_box(26, 30, 62, 80), _ring(64, 54, 18, 11)),
    "bottle": (_box(36, 34, 60, 82), _disc(48, 36, 12), _box(43, 10, 53, 34)),
    "chair": (_box(30, 14, 36, 84), _box(30, 14, 40, 50), _box(30, 48, 68, 56), _box(62, 50, 68, 84)),
    "lamp": (_cone(48, 14, 46, 22), _box(46, 46, 50, 80), _box(34, 78, 62, 84)),
    "shirt": (_box(32, 24, 64, 80), _box(16, 24, 80, 42)),
    "backpack": (_box(28, 26, 68, 82), _disc(48, 30, 20), _ring(48, 14, 8, 5)),
}


#: Letters of 3 by 5 dots, from top to bottom; what is not here is a blank.
GLYPHS = {
    "0": "#### ## ## ####",
    "1": " # ##  #  # ###",
    "2": "###  #####  ###",
    "3": "###  # ##  ####",
    "4": "# ## ####  #  #",
    "5": "####  ###  ####",
    "6": "####  #### ####",
    "7": "###  # #  #  # ",
    "8": "#### ##### ####",
    "9": "#### ####  ####",
    "D": "## # ## ## ### ",
    "E": "####  ## #  ###",
    "F": "####  ## #  #  ",
    "N": "## # ## ## ## #",
    "P": "#### #####  #  ",
    "R": "## # ### # ## #",
}


@cache
def _dots(product: str) -> bytes:
    """A product on its floor, as PNG has its rows: each begins with a zero; 0 is white, 1 the floor, 2 the product."""
    shapes = PRODUCTS[product]
    rows = bytearray()
    for y in range(SIDE):
        ground = 1 if y >= FLOOR_LINE else 0
        rows.append(0)
        rows += bytes(2 if any(inside(x, y) for inside in shapes) else ground for x in range(SIDE))
    return bytes(rows)


def png(product: str, colour: Colour, label: str = "") -> bytes:
    """A packshot: a product of one colour, standing on a light floor before white, with a short label above."""
    dots = bytearray(_dots(product))
    for place, letter in enumerate(label[:MAX_LABEL]):
        for dot, mark in enumerate(GLYPHS.get(letter, "")):
            if mark != " ":
                y, x = divmod(dot, 3)
                for row in (2 * y + 3, 2 * y + 4):
                    begin = row * (SIDE + 1) + 4 + 8 * place + 2 * x
                    dots[begin : begin + 2] = b"\x03\x03"
    palette = bytes((*WHITE, *FLOOR, *colour, *INK))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(bytes(dots), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def svg(name: str, colour: Colour, number: int) -> bytes:
    """A logo: the name in white on a pill of one colour, and a number below."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="80" viewBox="0 0 240 80">'
        f'<rect width="240" height="80" rx="40" fill="rgb{colour}"/>'
        '<text x="120" y="51" font-family="sans-serif" font-size="26" font-weight="bold" fill="#fff" '
        f'text-anchor="middle">{name}</text><text x="120" y="70" font-family="sans-serif" font-size="13" fill="#fff" '
        f'text-anchor="middle">{number}</text></svg>\n'
    ).encode()


def pdf(title: str) -> bytes:
    """A document: one page A4 with its title."""
    text = title.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252", "replace")
    drawing = b"BT /F1 24 Tf 72 760 Td (" + text + b") Tj ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    )
    document = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = len(document)
    document += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    document += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, end)
    return bytes(document)
