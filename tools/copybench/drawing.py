"""Text and shapes, drawn into BGR pixels."""

import functools
import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = pathlib.Path("/usr/share/fonts/truetype/dejavu")
WORDS = ("river market window silver garden engine letter summer corner bridge yellow doctor winter "
         "planet coffee ticket island pencil rocket velvet harbor copper meadow shadow thunder "
         "morning basket kitchen village picture station history number people water little never "
         "always every other great north light under story young often paper music rain mark hold "
         "stone quick brown open green seven table short small large sound plain early").split()


@functools.lru_cache(maxsize=64)
def font(size, bold=False):
    """DejaVu Sans of `size` pixels."""
    try:
        return ImageFont.truetype(str(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")),
                                  size)
    except OSError:
        sys.exit("copybench: no DejaVu fonts: apt-get install fonts-dejavu-core")


def words(rng, count):
    """A line of random words."""
    return " ".join(WORDS[i] for i in rng.integers(0, len(WORDS), count))


def colour(rng):
    """Any BGR colour."""
    return tuple(int(v) for v in rng.integers(0, 256, 3))


def text_mask(text, size, bold=False):
    """Coverage in [0, 1] of one line of text, just as large as needed."""
    face = font(size, bold)
    left, top, right, bottom = face.getbbox(text)
    picture = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(picture).text((-left, -top), text, font=face, fill=255)
    return np.asarray(picture, np.float32) / 255


def fitting_mask(text, size, width, bold=False):
    """As text_mask, with letters small enough for `width` pixels."""
    mask = text_mask(text, size, bold)
    while mask.shape[1] > width and size > 6:
        size = max(6, min(size - 1, int(size * width / mask.shape[1])))
        mask = text_mask(text, size, bold)
    return mask


def stamp(image, mask, x, y, paint, opacity=1.0):
    """Paints through a mask whose first pixel is at (x, y), in place; what lies outside is lost."""
    height, width = image.shape[:2]
    left, top = max(0, x), max(0, y)
    right, bottom = min(width, x + mask.shape[1]), min(height, y + mask.shape[0])
    if right <= left or bottom <= top:
        return
    share = opacity * mask[top - y:bottom - y, left - x:right - x, None]
    under = image[top:bottom, left:right]
    image[top:bottom, left:right] = np.rint(under * (1 - share) + np.array(paint) * share)


def tiled_text(image, text, size, angle, paint, opacity):
    """Writes a text all over the image, tilted by `angle` degrees, in place."""
    mask = Image.fromarray(np.uint8(255 * text_mask(text, size, True)))
    tilted = np.asarray(mask.rotate(angle, expand=True, resample=Image.BICUBIC), np.float32) / 255
    height, width = image.shape[:2]
    step_x, step_y = round(tilted.shape[1] * 1.15) + 4, round(tilted.shape[0] * 1.15) + 4
    for row, y in enumerate(range(-step_y // 2, height, step_y)):
        for x in range(-(row % 2) * step_x // 2, width, step_x):
            stamp(image, tilted, x, y, paint, opacity)


def paragraph(image, rng, x, y, width, height, size, paint=(40, 40, 40)):
    """Fills a block with lines of random words, in place."""
    line = round(size * 1.5)
    for top in range(y, y + height - line + 1, line):
        text = words(rng, 1)
        while True:
            longer = text + " " + words(rng, 1)
            if font(size).getlength(longer) > width:
                break
            text = longer
        stamp(image, text_mask(text, size), x, top, paint)


def with_shapes(image, draw):
    """The image after `draw(ImageDraw, width, height)`; colours there are BGR like the image."""
    picture = Image.fromarray(image)
    draw(ImageDraw.Draw(picture), picture.width, picture.height)
    return np.asarray(picture).copy()


def logo(size, paint, second, sides):
    """A badge `size` pixels wide: (pixels, mask)."""
    large = 4 * size
    picture, mask = Image.new("RGB", (large, large), paint), Image.new("L", (large, large))
    ImageDraw.Draw(mask).ellipse((0, 0, large - 1, large - 1), fill=255)
    pen = ImageDraw.Draw(picture)
    pen.regular_polygon((large // 2, large // 2, large * 0.42), sides, fill=second)
    pen.regular_polygon((large // 2, large // 2, large * 0.22), sides, rotation=30, fill=paint)
    pen.ellipse((large * 0.44, large * 0.44, large * 0.56, large * 0.56), fill=second)
    small = [part.resize((size, size), Image.BOX) for part in (picture, mask)]
    return np.asarray(small[0]), np.asarray(small[1], np.float32) / 255


def face(size, paint, mouth):
    """An emoji-like face `size` pixels wide: (pixels, mask). `mouth`: 0 smile, 1 round, 2 line."""
    large = 4 * size
    picture, mask = Image.new("RGB", (large, large), paint), Image.new("L", (large, large))
    ImageDraw.Draw(mask).ellipse((0, 0, large - 1, large - 1), fill=255)
    pen, at = ImageDraw.Draw(picture), lambda *shares: tuple(large * share for share in shares)
    pen.ellipse(at(0.25, 0.25, 0.40, 0.45), fill=(20, 20, 20))
    pen.ellipse(at(0.60, 0.25, 0.75, 0.45), fill=(20, 20, 20))
    if mouth == 0:
        pen.chord(at(0.2, 0.4, 0.8, 0.85), 0, 180, fill=(30, 30, 120))
    elif mouth == 1:
        pen.ellipse(at(0.38, 0.55, 0.62, 0.82), fill=(30, 30, 120))
    else:
        pen.rectangle(at(0.3, 0.65, 0.7, 0.71), fill=(30, 30, 120))
    small = [part.resize((size, size), Image.BOX) for part in (picture, mask)]
    return np.asarray(small[0]), np.asarray(small[1], np.float32) / 255


def stamp_pixels(image, pixels, mask, x, y, opacity=1.0):
    """As stamp, with pixels in place of one colour; all of it must lie inside the image."""
    share = opacity * mask[..., None]
    block = image[y:y + mask.shape[0], x:x + mask.shape[1]]
    block[:] = np.rint(block * (1 - share) + pixels * share)
