"""Draws the faces in docs/faces that no free photograph shows: ``python docs/draw_faces.py``.

All lengths are in pixels of the finished picture, whose middle is at 200; what comes twice, left
and right, is given as seen from the middle. ``side`` is 1 to the right of it and -1 to the left.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parent / "faces"
SIZE_PX = 400
SHARPER = 2  # drawn this many times as large, then made smaller, so that edges are smooth

Point = tuple[float, float]
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Person:
    """The looks of one drawn person."""

    skin: Color
    hair: Color
    iris: Color
    shirt: Color
    wall: Color
    long_hair: bool = False


@dataclass(frozen=True)
class Expression:
    """What a face does: how far parts move, and from 0 to 1 how deep its lines are.

    Which movements go with which emotion follows Ekman and Friesen, "Unmasking the face" (1975):
    frowning brows for anger, a wrinkled nose and raised upper lip for disgust, raised inner
    brows for fear and sadness, wide eyes for fear and surprise.
    """

    inner_brow_up: float = 0
    outer_brow_up: float = 0
    brows_together: float = 0
    upper_lid_up: float = 0
    lower_lid_up: float = 0
    corners_up: float = 0
    corners_out: float = 0
    upper_lip_up: float = 0
    lower_lip_down: float = 0
    chin_down: float = 0
    teeth: tuple[float, float] = (0, 0)  # how much of the upper and the lower ones shows
    tongue: float = 0  # how far it hangs out
    frown: float = 0  # upright lines between the brows
    forehead: float = 0  # lines across the forehead
    nose: float = 0  # wrinkles beside the nose
    folds: float = 0.35  # from the nose to the corners of the mouth


class Sheet:
    """A picture that is drawn on in the finished picture's pixels."""

    def __init__(self, color: Color) -> None:
        side = SIZE_PX * SHARPER
        self.picture = Image.new("RGB", (side, side), color)

    def lay(self, color: Color, mask: Image.Image, blur_px: float, strength: float) -> None:
        mask = mask.filter(ImageFilter.GaussianBlur(blur_px * SHARPER))
        self.picture.paste(color, mask=mask.point(lambda value: round(value * strength)))

    def mask(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        mask = Image.new("L", self.picture.size)
        return mask, ImageDraw.Draw(mask)

    def shape(
        self,
        points: list[Point],
        color: Color,
        blur_px: float = 0.4,
        strength: float = 1,
        inside: Image.Image | None = None,
    ) -> Image.Image:
        """Fill a shape, only where the mask ``inside`` is white, and return the shape's mask."""
        mask, draw = self.mask()
        draw.polygon([(x * SHARPER, y * SHARPER) for x, y in points], fill=255)
        if inside is not None:
            mask = Image.composite(mask, Image.new("L", mask.size), inside)
        self.lay(color, mask, blur_px, strength)
        return mask

    def line(
        self,
        points: list[Point],
        color: Color,
        width_px: float,
        blur_px: float = 0.5,
        strength: float = 1,
    ) -> None:
        """Draw a line that is thin at its ends."""
        mask, draw = self.mask()
        for place, (x, y) in zip(np.linspace(0, np.pi, len(points)), points, strict=True):
            radius = width_px / 2 * (0.35 + 0.65 * np.sin(place)) * SHARPER
            x, y = x * SHARPER, y * SHARPER
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        self.lay(color, mask, blur_px, strength)


def curve(*knots: Point) -> list[Point]:
    """Return a smooth line through the knots (Catmull and Rom, 1974)."""
    ends = [(2 * a[0] - b[0], 2 * a[1] - b[1]) for a, b in (knots[:2], knots[:-3:-1])]
    points = np.array([ends[0], *knots, ends[1]])
    t = np.linspace(0, 1, 40)[:, None]
    pieces = [
        0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
               + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
        for p0, p1, p2, p3 in zip(points, points[1:], points[2:], points[3:], strict=False)
    ]  # fmt: skip
    return [(float(x), float(y)) for x, y in np.concatenate(pieces)]


def ring(x: float, y: float, width: float, height: float) -> list[Point]:
    """Return an ellipse around a point."""
    turn = np.linspace(0, 2 * np.pi, 120)
    return list(zip(x + width / 2 * np.cos(turn), y + height / 2 * np.sin(turn), strict=True))


def mixed(color: Color, other: Color, share: float) -> Color:
    """Return a colour with a share of another one."""
    return tuple(round(a + (b - a) * share) for a, b in zip(color, other, strict=True))


def mirrored(points: list[Point], side: int) -> list[Point]:
    """Return points given right of the middle, or for side -1 left of it."""
    return [(SIZE_PX / 2 + side * x, y) for x, y in points]


def draw_face(person: Person, expression: Expression) -> Image.Image:
    """Draw a face from the front, from the shoulders up."""
    sheet = Sheet(person.wall)
    dark = mixed(person.skin, (60, 20, 15), 0.6)
    light = mixed(person.skin, (255, 245, 230), 0.45)
    draw_body(sheet, person, dark)
    draw_head(sheet, person, expression, dark, light)
    for side in (-1, 1):
        draw_eye(sheet, person, expression, side, dark)
        draw_brow(sheet, person, expression, side)
    draw_nose(sheet, expression, dark, light)
    draw_mouth(sheet, person, expression, dark)
    draw_lines(sheet, expression, dark)
    draw_fringe(sheet, person)
    return sheet.picture.resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)


def draw_body(sheet: Sheet, person: Person, dark: Color) -> None:
    """Draw what lies behind the face: hair, neck and shoulders."""
    glow = mixed(person.wall, (255, 255, 255), 0.5)
    sheet.shape(ring(200, 160, 380, 380), glow, blur_px=50)
    hair = curve((0, 40), (78, 60), (112, 130), (122, 220), (116, 300), (84, 308), (50, 300))
    for side in (-1, 1) if person.long_hair else ():
        sheet.shape(mirrored([*hair, (0, 300)], side), mixed(person.hair, (0, 0, 0), 0.15), 1)
    sheet.shape([(160, 290), (240, 290), (252, 400), (148, 400)], mixed(person.skin, dark, 0.25))
    shoulder = [(0, 376), *curve((30, 370), (56, 346), (120, 362), (175, 384), (195, 420))]
    sheet.shape(mirrored(shoulder, -1)[::-1] + mirrored(shoulder, 1), person.shirt, blur_px=1)
    for side in (-1, 1):
        sheet.line(mirrored(shoulder[:50], side), mixed(person.shirt, (0, 0, 0), 0.35), 3, 0.8)
    sheet.shape(ring(200, 330, 84, 50), dark, blur_px=9, strength=0.6)


def draw_head(
    sheet: Sheet, person: Person, expression: Expression, dark: Color, light: Color
) -> None:
    """Draw ears and the bare head, lighter in the middle than at its edges."""
    for side in (-1, 1):
        sheet.shape(ring(200 + side * 103, 205, 30, 56), mixed(person.skin, dark, 0.15))
        sheet.shape(ring(200 + side * 105, 206, 12, 32), dark, blur_px=3, strength=0.5)
    chin = 332 + expression.chin_down
    knots = [(0, 62), (62, 78), (96, 135), (101, 200), (88, 265), (52, chin - 16), (0, chin)]
    half = curve(*knots)
    outline = mirrored(half, 1) + mirrored(half, -1)[::-1]
    head = sheet.shape(outline, mixed(person.skin, dark, 0.38), blur_px=0.6)
    inner = [(200 + (x - 200) * 0.86, 205 + (y - 205) * 0.9) for x, y in outline]
    sheet.shape(inner, person.skin, blur_px=13, inside=head)
    sheet.shape(ring(200, 118, 110, 50), light, blur_px=16, strength=0.5)
    sheet.shape(ring(200, chin - 18, 40, 20), light, blur_px=7, strength=0.45)
    for side in (-1, 1):
        cheek = ring(200 + side * 58, 238 - expression.lower_lid_up, 46, 34)
        sheet.shape(cheek, mixed(light, (230, 90, 80), 0.25), blur_px=10, strength=0.6)
        sheet.shape(ring(200 + side * 43, 180, 62, 40), dark, blur_px=9, strength=0.35)


def draw_eye(sheet: Sheet, person: Person, expression: Expression, side: int, dark: Color) -> None:
    """Draw one eye between its lids."""
    top = 176 - expression.upper_lid_up
    bottom = 196 - expression.lower_lid_up
    upper = curve((20, 190), (30, top + 3), (44, top), (57, top + 4), (68, 187))
    lower = curve((68, 187), (57, bottom - 1), (44, bottom), (31, bottom - 1), (20, 190))
    upper, lower = mirrored(upper, side), mirrored(lower, side)
    white = sheet.shape(upper + lower, (240, 236, 230))
    x = 200 + side * 44
    sheet.shape(ring(x, 185, 23, 23), mixed(person.iris, (0, 0, 0), 0.45), inside=white)
    sheet.shape(ring(x, 186, 18, 18), person.iris, blur_px=1.5, inside=white)
    sheet.shape(ring(x, 185, 10, 10), (12, 10, 10), inside=white)
    shadow = [(px, py - 8) for px, py in upper] + [(px, py + 4) for px, py in upper[::-1]]
    sheet.shape(shadow, (50, 35, 30), blur_px=2, strength=0.55, inside=white)
    sheet.shape(ring(x - 4, 180, 5, 5), (255, 255, 255), inside=white)
    sheet.line(upper, (35, 22, 20), 4.2)
    sheet.line(lower, dark, 2.2, blur_px=0.8, strength=0.8)
    crease = [(px, py - 7 - 0.15 * expression.upper_lid_up) for px, py in upper[20:-20]]
    sheet.line(crease, dark, 2.6, blur_px=1, strength=0.7)
    bag = [(px, py + 7) for px, py in lower[20:-20]]
    sheet.line(bag, dark, 3, blur_px=1.6, strength=0.3 + 0.03 * expression.lower_lid_up)


def draw_brow(sheet: Sheet, person: Person, expression: Expression, side: int) -> None:
    """Draw one brow, thick at the nose and thin outside."""
    start = 17 - expression.brows_together
    inner, outer = 158 - expression.inner_brow_up, 158 - expression.outer_brow_up
    middle = (inner + outer) / 2 - 8
    upper = curve((start, inner - 5), (42, middle - 5), (64, outer - 4), (82, outer + 6))
    lower = curve((82, outer + 6), (64, outer + 3), (42, middle + 5), (start + 1, inner + 7))
    color = mixed(person.hair, (25, 15, 12), 0.45)
    sheet.shape(mirrored(upper + lower, side), color, blur_px=1.3, strength=0.95)


def draw_nose(sheet: Sheet, expression: Expression, dark: Color, light: Color) -> None:
    """Draw the nose; wrinkling lifts its wings."""
    up = 7 * expression.nose
    sheet.shape([(195, 150), (205, 150), (207, 230), (193, 230)], light, blur_px=5, strength=0.6)
    sheet.shape(ring(200, 238 - up, 24, 18), light, blur_px=5, strength=0.6)
    for side in (-1, 1):
        bridge = mirrored(curve((11, 170), (10, 205), (16, 232 - up)), side)
        sheet.line(bridge, dark, 8, blur_px=4, strength=0.4)
        wing = mirrored(curve((17, 228 - up), (25, 238 - up), (19, 249 - up)), side)
        sheet.line(wing, dark, 3.4, blur_px=1.2, strength=0.75)
        sheet.shape(ring(200 + side * 10, 248 - up, 11, 5), mixed(dark, (20, 8, 8), 0.6), 1.2)
    sheet.shape(ring(200, 256 - up, 30, 8), dark, blur_px=4, strength=0.4)


def draw_mouth(sheet: Sheet, person: Person, expression: Expression, dark: Color) -> None:
    """Draw lips, and between them, where they are apart, the teeth and the dark."""
    lip = mixed(person.skin, (165, 50, 60), 0.6)
    corner = (34 + expression.corners_out, 280 - expression.corners_up)
    top = 279 - expression.upper_lip_up
    bottom = 281 + expression.lower_lip_down

    def edge_of_lip(inner: float, at_middle: float = 0, beside: float = 0) -> list[Point]:
        """Return a line from corner to corner, so far from a lip's inner edge."""
        halfway = inner + (corner[1] - 280) * 0.3 + (corner[1] - inner) * 0.18
        right = curve((0, inner + at_middle), (corner[0] / 2, halfway + beside), corner)
        return mirrored(right, -1)[::-1] + mirrored(right, 1)

    inner_top, inner_bottom = edge_of_lip(top), edge_of_lip(bottom)
    outer_top, outer_bottom = edge_of_lip(top, -8, -10), edge_of_lip(bottom, 13, 10)
    sheet.shape(outer_top + inner_top[::-1], mixed(lip, dark, 0.35), blur_px=0.8)
    sheet.shape(inner_bottom + outer_bottom[::-1], lip, blur_px=0.8)
    sheet.shape(ring(200, bottom + 6, 34, 5), mixed(lip, (255, 235, 225), 0.6), 2.5, 0.5)
    hole = sheet.shape(inner_top + inner_bottom[::-1], (45, 12, 14), blur_px=0.6)
    for row, shown in zip((inner_top, inner_bottom), expression.teeth, strict=True):
        if shown:
            down = shown if row is inner_top else -shown
            edge = [(x, y + down) for x, y in row[::-1]]
            sheet.shape([*row, *edge], (238, 232, 220), blur_px=0.8, inside=hole)
    sheet.line(inner_top, (60, 18, 20), 2.6, blur_px=0.7)
    sheet.line(inner_bottom, (60, 18, 20), 1.8, blur_px=0.7, strength=0.8)
    sheet.shape(ring(200, bottom + 20, 44, 8), dark, blur_px=4, strength=0.5)
    for side in (-1, 1):
        sheet.shape(ring(200 + side * corner[0], corner[1], 9, 8), dark, blur_px=3, strength=0.7)
    if expression.tongue:
        draw_tongue(sheet, bottom, bottom + expression.tongue)


def draw_tongue(sheet: Sheet, lip: float, tip: float) -> None:
    """Draw the tongue hanging over the lower lip, down to its tip."""
    half = curve((0, lip - 8), (13, lip - 5), (16, tip - 9), (9, tip), (0, tip + 1))
    sheet.shape(mirrored(half, -1) + mirrored(half, 1)[::-1], (205, 95, 100), blur_px=0.8)
    sheet.line([(200, lip - 4), (200, tip - 6)], (150, 50, 60), 3, 1.2, 0.7)


def draw_lines(sheet: Sheet, expression: Expression, dark: Color) -> None:
    """Draw what the muscles fold: forehead, brow, nose and cheeks."""
    for side in (-1, 1):
        reach = 40 + expression.corners_out
        fold = curve((27, 234 - 6 * expression.nose), (reach, 256), (reach + 10, 284))
        sheet.line(mirrored(fold, side), dark, 4, blur_px=1.8, strength=expression.folds)
        if expression.frown:
            upright = curve((7, 132), (6, 146), (9, 160))
            sheet.line(mirrored(upright, side), dark, 4, 1.2, expression.frown)
        for step in range(3 if expression.nose else 0):
            wrinkle = curve((3, 176 + 9 * step), (9, 180 + 9 * step), (14, 188 + 9 * step))
            sheet.line(mirrored(wrinkle, side), dark, 3, 1, expression.nose * 0.8)
    for y in (100, 112, 124) if expression.forehead else ():
        across = curve((148, y + 4), (175, y), (200, y + 3), (225, y), (252, y + 4))
        sheet.line(across, dark, 3, 1.3, expression.forehead)


def draw_fringe(sheet: Sheet, person: Person) -> None:
    """Draw the hair above the forehead."""
    edge = curve((98, 176), (108, 128), (136, 96), (205, 106), (268, 90), (292, 128), (302, 176))
    crown = curve((304, 176), (306, 112), (262, 52), (200, 36), (138, 52), (94, 112), (96, 176))
    fringe = sheet.shape(edge + crown, person.hair, blur_px=1)
    shine = mixed(person.hair, (255, 240, 220), 0.35)
    sheet.line(curve((125, 88), (165, 62), (225, 56)), shine, 12, blur_px=6, strength=0.6)
    strands, draw = sheet.mask()
    for x in range(90, 316, 9):
        strand = curve((x, 150), (x + (170 - x) * 0.15, 85), (170 + (x - 170) * 0.5, 36))
        draw.line([(a * SHARPER, b * SHARPER) for a, b in strand], fill=255, width=2)
    strands = Image.composite(strands, Image.new("L", strands.size), fringe)
    sheet.lay(mixed(person.hair, (0, 0, 0), 0.45), strands, 0.5, 0.5)


DRAWN = {
    "angry": (
        Person(
            skin=(226, 178, 148),
            hair=(70, 45, 30),
            iris=(95, 120, 90),
            shirt=(60, 75, 95),
            wall=(190, 195, 200),
        ),
        Expression(
            inner_brow_up=-17, outer_brow_up=6, brows_together=7, upper_lid_up=1, lower_lid_up=4,
            corners_up=-8, corners_out=4, upper_lip_up=5, lower_lip_down=10, chin_down=4,
            teeth=(8, 8), frown=0.9, nose=0.4, folds=0.7,
        ),
    ),
    "disgust": (
        Person(
            skin=(240, 200, 175),
            hair=(150, 85, 45),
            iris=(90, 110, 130),
            shirt=(95, 130, 110),
            wall=(215, 205, 190),
            long_hair=True,
        ),
        Expression(
            inner_brow_up=-11, outer_brow_up=-2, brows_together=4, upper_lid_up=-5, lower_lid_up=6,
            corners_up=-8, corners_out=3, upper_lip_up=8, lower_lip_down=10, teeth=(5, 0),
            tongue=20, frown=0.5, nose=1, folds=0.95,
        ),
    ),
    "fear": (
        Person(
            skin=(205, 150, 115),
            hair=(40, 28, 24),
            iris=(80, 55, 35),
            shirt=(120, 80, 90),
            wall=(175, 185, 195),
            long_hair=True,
        ),
        Expression(
            inner_brow_up=15, outer_brow_up=2, brows_together=4, upper_lid_up=9, lower_lid_up=1,
            corners_up=-5, corners_out=7, upper_lip_up=3, lower_lip_down=12, chin_down=6,
            teeth=(4, 6), frown=0.3, forehead=0.5, folds=0.35,
        ),
    ),
    "sad": (
        Person(
            skin=(150, 100, 72),
            hair=(30, 22, 20),
            iris=(60, 40, 28),
            shirt=(150, 120, 70),
            wall=(200, 200, 205),
        ),
        Expression(
            inner_brow_up=13, outer_brow_up=-7, brows_together=4, upper_lid_up=-5, lower_lid_up=1,
            corners_up=-10, corners_out=-1, lower_lip_down=-1, frown=0.35, forehead=0.3, folds=0.6,
        ),
    ),
    "surprise": (
        Person(
            skin=(245, 208, 185),
            hair=(205, 165, 100),
            iris=(85, 125, 160),
            shirt=(80, 95, 140),
            wall=(205, 215, 215),
            long_hair=True,
        ),
        Expression(
            inner_brow_up=18, outer_brow_up=17, upper_lid_up=9, lower_lid_up=-2,
            corners_up=-2, corners_out=-10, upper_lip_up=10, lower_lip_down=26, chin_down=16,
            teeth=(5, 0), forehead=0.45, folds=0.25,
        ),
    ),
}  # fmt: skip


if __name__ == "__main__":
    for emotion, (person, expression) in DRAWN.items():
        draw_face(person, expression).save(FOLDER / f"{emotion}-drawn.jpg", quality=90)
