"""What people and programs do to pictures: each attack turns a Picture into another Picture.

An attack is a function (picture, strength, rng, pool) of a geometry.Picture, one of the strengths in
ATTACKS, a numpy Generator that decides everything random, and a make.Pool of other pictures. Pixels
are BGR, 0 to 255.
"""

import dataclasses

import cv2
import numpy as np

import drawing
import geometry


def pixelwise(picture, values):
    """The picture with other pixels, given as floats."""
    return picture.with_image(np.uint8(np.clip(np.rint(values), 0, 255)))


def lookup(picture, function):
    """Each channel value v in [0, 1] becomes function(v)."""
    table = np.clip(function(np.arange(256) / 255.0), 0, 1)
    return picture.with_image(np.uint8(np.rint(255 * table))[picture.image])


def jpeg(picture, quality, rng, pool):
    """Through JPEG of a quality from 1 to 100."""
    data = cv2.imencode(".jpg", picture.image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return picture.with_image(cv2.imdecode(data, cv2.IMREAD_COLOR))


def scale(picture, factor, rng, pool):
    """Sides shrink to `factor`."""
    return geometry.scaled(picture, factor)


def crop(picture, percent, rng, pool):
    """A rectangle of `percent` of the area, its sides' ratio changed by up to a quarter."""
    share = percent / 100
    ratio = rng.uniform(0.8, 1.25)
    x_share = min(1.0, np.sqrt(share * ratio))
    y_share = min(1.0, share / x_share)
    x_share = min(1.0, share / y_share)
    width = max(8, round(picture.width * x_share))
    height = max(8, round(picture.height * y_share))
    x = int(rng.integers(0, max(0, picture.width - width) + 1))
    y = int(rng.integers(0, max(0, picture.height - height) + 1))
    return geometry.cropped(picture, x, y, min(width, picture.width), min(height, picture.height))


def rotate(picture, degrees, rng, pool):
    """Clockwise, onto a canvas that holds all of it; the corners are black or white."""
    if degrees == "any":
        degrees = float(rng.uniform(1, 359))
    turn = np.deg2rad(degrees)
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    corners = geometry.moved_points(matrix, geometry.rectangle(0, 0, picture.width, picture.height))
    low = corners.min(axis=0)
    width, height = (int(np.ceil(v - 1e-6)) for v in corners.max(axis=0) - low)
    matrix = geometry.translation(-0.5 - low[0], -0.5 - low[1]) @ matrix
    return geometry.warped(picture, matrix, width, height, (int(rng.integers(0, 2)) * 255,) * 3)


def mirror(picture, way, rng, pool):
    """Left and right exchanged, or top and bottom."""
    if way == "horizontal":
        image, matrix = picture.image[:, ::-1], [[-1, 0, picture.width - 1], [0, 1, 0], [0, 0, 1]]
    else:
        image, matrix = picture.image[::-1], [[1, 0, 0], [0, -1, picture.height - 1], [0, 0, 1]]
    result = geometry.moved(picture, np.ascontiguousarray(image), np.array(matrix, float))
    result.parts = [dataclasses.replace(part, mirrored=not part.mirrored) for part in result.parts]
    return result


def invert(picture, strength, rng, pool):
    """A photographic negative."""
    return geometry.Picture(255 - picture.image, [
        dataclasses.replace(part, inverted=not part.inverted) for part in picture.parts])


PERSPECTIVE = {"mild": 0.08, "strong": 0.25}


def perspective(picture, strength, rng, pool):
    """Each corner moves inward by up to 8 % (mild), 25 % (strong) or a given share of each side."""
    reach = PERSPECTIVE.get(strength, strength)
    corners = geometry.rectangle(0, 0, picture.width, picture.height)
    inward = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    moved = corners + inward * rng.uniform(0, reach, (4, 2)) * [picture.width, picture.height]
    matrix = cv2.getPerspectiveTransform(np.float32(corners), np.float32(moved))
    return geometry.warped(picture, matrix, picture.width, picture.height, drawing.colour(rng))


def blur(picture, sigma, rng, pool):
    """Gaussian, `sigma` in pixels."""
    return picture.with_image(cv2.GaussianBlur(picture.image, (0, 0), sigma))


def noise(picture, deviation, rng, pool):
    """Gaussian noise of a standard deviation in levels of 255, independent by channel."""
    return pixelwise(picture, picture.image + deviation * rng.standard_normal(
        picture.image.shape, np.float32))


def gamma(picture, exponent, rng, pool):
    """Each value in [0, 1] to the power of `exponent`."""
    return lookup(picture, lambda v: v ** exponent)


def contrast(picture, factor, rng, pool):
    """Distance from middle grey times `factor`."""
    return lookup(picture, lambda v: 0.5 + (v - 0.5) * factor)


def brightness(picture, levels, rng, pool):
    """`levels` of 255 are added."""
    return lookup(picture, lambda v: v + levels / 255)


def hue(picture, degrees, rng, pool):
    """All hues turned on the colour circle."""
    hsv = cv2.cvtColor(picture.image, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + degrees // 2) % 180
    return picture.with_image(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


def grey(picture, strength, rng, pool):
    """Without colour."""
    return picture.with_image(cv2.cvtColor(cv2.cvtColor(picture.image, cv2.COLOR_BGR2GRAY),
                                           cv2.COLOR_GRAY2BGR))


def text(picture, lines, rng, pool):
    """Lines of bold text over the picture, each a tenth of its height."""
    image = picture.image.copy()
    size = max(8, picture.height // 10)
    for _ in range(lines):
        mask = drawing.fitting_mask(drawing.words(rng, 3), size, picture.width, True)
        x = int(rng.integers(0, max(1, picture.width - mask.shape[1])))
        y = int(rng.integers(0, max(1, picture.height - mask.shape[0])))
        drawing.stamp(image, mask, x, y, drawing.colour(rng))
    return picture.with_image(image)


def badges(picture, count, share, rng, draw):
    """`count` drawn badges, each `share` of the shorter side wide, at random places."""
    image = picture.image.copy()
    size = max(8, round(share * min(picture.width, picture.height)))
    for _ in range(count):
        pixels, mask = draw(size)
        x = int(rng.integers(0, picture.width - size + 1))
        y = int(rng.integers(0, picture.height - size + 1))
        drawing.stamp_pixels(image, pixels, mask, x, y)
    return picture.with_image(image)


def logo(picture, share, rng, pool):
    """One badge, `share` of the shorter side wide."""
    return badges(picture, 1, share, rng, lambda size: drawing.logo(
        size, drawing.colour(rng), drawing.colour(rng), int(rng.integers(3, 8))))


def emoji(picture, count, rng, pool):
    """`count` faces, each a fifth of the shorter side wide."""
    return badges(picture, count, 0.2, rng, lambda size: drawing.face(
        size, (40, 200, 250), int(rng.integers(0, 3))))


def border(picture, share, rng, pool):
    """A frame of one colour, `share` of the longer side thick."""
    thick = max(1, round(share * max(picture.width, picture.height)))
    canvas = np.full((picture.height + 2 * thick, picture.width + 2 * thick, 3),
                     drawing.colour(rng), np.uint8)
    return geometry.placed(canvas, picture, thick, thick)


def watermark(picture, opacity, rng, pool):
    """A tilted white text all over the picture."""
    image = picture.image.copy()
    drawing.tiled_text(image, drawing.words(rng, 2), max(8, picture.height // 14), 30, (255,) * 3,
                       opacity)
    return picture.with_image(image)


def meme(picture, strength, rng, pool):
    """White bands with black text above and below, each a fifth of the height."""
    band = max(12, picture.height // 5)
    canvas = np.full((picture.height + 2 * band, picture.width, 3), 255, np.uint8)
    for y in (0, picture.height + band):
        mask = drawing.fitting_mask(drawing.words(rng, 4), band // 2, picture.width, True)
        drawing.stamp(canvas, mask, (picture.width - mask.shape[1]) // 2,
                      y + (band - mask.shape[0]) // 2, (0, 0, 0))
    return geometry.placed(canvas, picture, 0, band)


def screenshot(picture, device, rng, pool):
    """Inside a drawn phone app (480 x 960) or browser window (1000 x 720)."""
    width, height, top, bottom = (480, 960, 110, 260) if device == "phone" else (1000, 720, 90, 40)
    side = 0 if device == "phone" else 300
    dark = bool(rng.integers(0, 2))
    ground, ink = ((32, 32, 32), (220, 220, 220)) if dark else ((250, 250, 250), (60, 60, 60))
    canvas = np.full((height, width, 3), ground, np.uint8)
    canvas = drawing.with_shapes(canvas, lambda pen, w, h: interface(pen, w, h, top, bottom, ink))
    drawing.stamp(canvas, drawing.text_mask("12:41", 15), 14, 10, ink)
    drawing.stamp(canvas, drawing.text_mask(drawing.words(rng, 2), 20, True), 60, 50, ink)
    if side:
        drawing.paragraph(canvas, rng, width - side + 20, top + 20, side - 40, height - top - 80, 14,
                          ink)
    factor = min((width - side) / picture.width, (height - top - bottom) / picture.height)
    small = geometry.scaled(picture, factor)
    small = geometry.cropped(small, 0, 0, min(small.width, width - side),
                             min(small.height, height - top - bottom))
    result = geometry.placed(canvas, small, (width - side - small.width) // 2, top)
    if device == "phone":
        drawing.paragraph(result.image, rng, 16, top + small.height + 50, width - 32,
                          height - top - small.height - 120, 16, ink)
    return result


def interface(pen, width, height, top, bottom, ink):
    """Bars, buttons and icons of a drawn program window."""
    pen.line((0, top - 2, width, top - 2), fill=ink)
    pen.ellipse((14, 44, 44, 74), outline=ink, width=3)
    pen.rounded_rectangle((width - 120, 46, width - 20, 74), 12, outline=ink, width=2)
    for i in range(5):
        x = width * (2 * i + 1) // 10
        pen.rounded_rectangle((x - 10, height - 30, x + 10, height - 10), 4, outline=ink, width=2)
    pen.rectangle((width - 40, 10, width - 14, 22), fill=ink)


def cover(picture, percent, rng, pool):
    """A block of `percent` of the area at one edge is hidden by a colour or another picture."""
    image, share = picture.image.copy(), percent / 100
    width, height = picture.width, picture.height
    edge = int(rng.integers(0, 4))
    if edge < 2:
        kept = width - round(width * share)
        x, y, kept_width, kept_height = (0 if edge == 0 else width - kept), 0, kept, height
    else:
        kept = height - round(height * share)
        x, y, kept_width, kept_height = 0, (0 if edge == 2 else height - kept), width, kept
    over = np.full_like(image, drawing.colour(rng))
    if rng.integers(0, 2):
        over = geometry.covering(geometry.Picture(pool.backdrop(rng), []), width, height).image
    over[y:y + kept_height, x:x + kept_width] = image[y:y + kept_height, x:x + kept_width]
    return geometry.covered(picture.with_image(over), x, y, kept_width, kept_height)


def blend(picture, alpha, rng, pool):
    """`alpha` of the picture and 1 - `alpha` of another one."""
    other = geometry.covering(geometry.Picture(pool.backdrop(rng), []), picture.width,
                              picture.height).image
    return pixelwise(picture, alpha * picture.image + (1 - alpha) * other.astype(np.float32))


def paste(picture, percent, rng, pool):
    """Whole, scaled, inside another picture, of whose area it takes up to `percent`."""
    canvas = pool.backdrop(rng)
    height, width = canvas.shape[:2]
    factor = np.sqrt(percent / 100 * width * height / (picture.width * picture.height))
    factor = min(factor, width / picture.width, height / picture.height)
    small = geometry.resized(picture, min(width, max(8, round(picture.width * factor))),
                             min(height, max(8, round(picture.height * factor))))
    x = int(rng.integers(0, width - small.width + 1))
    y = int(rng.integers(0, height - small.height + 1))
    return geometry.placed(canvas, small, x, y)


GRIDS = {2: (2, 1), 3: (3, 1), 4: (2, 2), 6: (3, 2), 9: (3, 3)}


def collage(picture, count, rng, pool):
    """A grid of `count` originals, each cut to a cell of 320 x 240 pixels."""
    columns, rows = GRIDS[count]
    pictures = [picture] + pool.others(rng, count - 1, {part.path for part in picture.parts})
    canvas, parts = np.full((240 * rows, 320 * columns, 3), 255, np.uint8), []
    for place, i in enumerate(rng.permutation(len(pictures))):
        cell = geometry.covering(pictures[i], 320, 240)
        done = geometry.placed(canvas, cell, 320 * (place % columns), 240 * (place // columns))
        canvas, parts = done.image, parts + done.parts
    return geometry.Picture(canvas, parts)


PRINTED = {"mild": (0.7, 5, 60), "strong": (1.4, 12, 35)}


def printed(picture, reach, sigma, deviation, quality, rng, pool):
    """As of a print photographed: perspective (as there), blur (pixels), uneven light, tint, noise
    (levels) and JPEG."""
    result = blur(perspective(picture, reach, rng, pool), sigma, rng, pool)
    light = np.linspace(rng.uniform(0.75, 0.95), 1, result.width)[None, :, None]
    tint = rng.uniform(0.85, 1.0, 3)
    result = pixelwise(result, (20 + 0.85 * result.image) * light * tint)
    return jpeg(noise(result, deviation, rng, pool), quality, rng, pool)


def print_scan(picture, strength, rng, pool):
    """A print photographed, with more blur, noise and JPEG where it is strong."""
    return printed(picture, "mild", *PRINTED[strength], rng, pool)


CHAINABLE = [
    ("jpeg", 20), ("scale", 0.5), ("crop", 50), ("rotate", 5), ("rotate", 17), ("rotate", 90),
    ("mirror", "horizontal"), ("invert", 1), ("perspective", "mild"), ("blur", 1), ("noise", 10),
    ("gamma", 0.4), ("contrast", 0.5), ("brightness", 60), ("hue", 90), ("grey", 1), ("text", 1),
    ("logo", 0.25), ("emoji", 2), ("border", 0.05), ("watermark", 0.35), ("meme", 1),
    ("screenshot", "phone"), ("cover", 30), ("paste", 50), ("print_scan", "mild")]


def chain(picture, count, rng, pool):
    """`count` different attacks of CHAINABLE, one after the other."""
    names = list(dict.fromkeys(name for name, _ in CHAINABLE))
    for i in rng.permutation(len(names))[:count]:
        choices = [strength for name, strength in CHAINABLE if name == names[i]]
        strength = choices[int(rng.integers(0, len(choices)))]
        picture = ATTACKS[names[i]][0](picture, strength, rng, pool)
    return picture


ATTACKS = {
    "jpeg": (jpeg, (50, 20, 10, 5, 3)),
    "scale": (scale, (0.5, 0.25, 0.2, 0.125)),
    "crop": (crop, (50, 25, 10, 5)),
    "rotate": (rotate, (5, 17, 45, 90, 180, "any")),
    "mirror": (mirror, ("horizontal", "vertical")),
    "invert": (invert, (1,)),
    "perspective": (perspective, ("mild", "strong")),
    "blur": (blur, (1, 2, 4)),
    "noise": (noise, (10, 25, 60)),
    "gamma": (gamma, (0.4, 2.5)),
    "contrast": (contrast, (0.5, 2.0)),
    "brightness": (brightness, (-60, 60)),
    "hue": (hue, (90, 180)),
    "grey": (grey, (1,)),
    "text": (text, (1, 3)),
    "logo": (logo, (0.25, 0.5)),
    "emoji": (emoji, (2, 6)),
    "border": (border, (0.05, 0.2)),
    "watermark": (watermark, (0.35, 0.7)),
    "meme": (meme, (1,)),
    "screenshot": (screenshot, ("phone", "browser")),
    "cover": (cover, (50, 75)),
    "blend": (blend, (0.5, 0.3)),
    "paste": (paste, (50, 25, 10, 7, 5)),
    "collage": (collage, (2, 3, 4, 6, 9)),
    "print_scan": (print_scan, ("mild", "strong")),
    "chain": (chain, (3, 4, 5)),
}
