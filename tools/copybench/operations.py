"""What people do to pictures, as operations of a continuous strength, in families.

An operation is a function (picture, strength, rng, pool) like an attack. Its strength goes from 0
(hardly anything) to 1 (as much as leaves a person sure that it is the same picture). OPERATIONS names
the family of each. Where an operation has two ways, such as darker and brighter, `rng` chooses. Lengths
that are given in per cent are of the picture's side: the square root of its area.
"""

import dataclasses

import cv2
import numpy as np

import attacks
import drawing
import geometry

# ---------------------------------------------------------------------------------------- helpers


def linear(strength, mild, strong):
    """From `mild` to `strong` in equal steps."""
    return mild + strength * (strong - mild)


def growing(strength, mild, strong):
    """From `mild` to `strong` in equal factors."""
    return mild * (strong / mild) ** strength


def steps(strength, mild, strong):
    """As linear, in whole numbers."""
    return int(round(linear(strength, mild, strong)))


def either(rng):
    """True or False."""
    return bool(rng.integers(0, 2))


def side(picture):
    """The square root of the area, in pixels."""
    return float(np.sqrt(picture.width * picture.height))


def mixed(picture, other, share):
    """The picture with `share` of other pixels of the same size."""
    return attacks.pixelwise(picture, (1 - share) * picture.image + share * np.float32(other))


def grey_of(picture):
    """Grey tones, 0 to 255, as floats."""
    return np.float32(cv2.cvtColor(picture.image, cv2.COLOR_BGR2GRAY))


def threefold(values):
    """Grey tones as three equal channels."""
    return np.repeat(values[..., None], 3, axis=2)


def columns_and_rows(width, height):
    """[x, y] of each pixel, each height x width."""
    return list(np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float)))


def covering(pixels, width, height):
    """Pixels scaled and cut to fill a size."""
    return geometry.covering(geometry.Picture(pixels, []), width, height).image


def stretched_points(points, reach):
    """Points and their neighbours at the distance `reach` to all four sides."""
    around = np.array([[-reach, -reach], [reach, -reach], [-reach, reach], [reach, reach]])
    return (points[:, None] + around).reshape(-1, 2)


def inside(polygon, x, y):
    """Which of the points lie in a convex polygon."""
    kept = np.full(x.shape, len(polygon) >= 3)
    centre = polygon.mean(axis=0) if len(polygon) else None
    for i in range(len(polygon)):
        (ax, ay), (bx, by) = polygon[i - 1], polygon[i]
        turn = (bx - ax) * (centre[1] - ay) - (by - ay) * (centre[0] - ax)
        kept &= ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * turn >= 0
    return kept


def bent_part(part, x, y):
    """As bent, for one part."""
    places = np.argwhere(inside(part.region, x, y))[:, ::-1].astype(float)
    if len(places) < 9 or np.ptp(places, axis=0).min() < 2:
        return dataclasses.replace(part, region=np.zeros((0, 2)))
    outline = cv2.convexHull(np.float32(places))[:, 0].astype(float)
    region = cv2.convexHull(np.float32(stretched_points(outline, 0.5)))[:, 0].astype(float)
    some = places[::max(1, len(places) // 2000)]
    column, row = some.astype(int).T
    old = np.column_stack([x[row, column], y[row, column], np.ones(len(some))])
    matrix = np.vstack([np.linalg.lstsq(old, some, rcond=None)[0].T, [0, 0, 1]])
    return dataclasses.replace(part, matrix=matrix @ part.matrix, region=region)


def bent(picture, x, y, fill):
    """The picture whose pixel is what `picture` has at (x, y); the colour `fill` where that is outside.

    No matrix describes that. A part's region is the convex hull of what is visible of it; its matrix
    is the affine one nearest to the move, by least squares over the region.
    """
    image = cv2.remap(picture.image, np.float32(x), np.float32(y), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_CONSTANT, borderValue=fill)
    return geometry.Picture(image, [bent_part(part, x, y) for part in picture.parts])


def behind(picture, outline):
    """Only what lies in a convex polygon still shows originals; the caller painted over the rest."""
    def common(region):
        if len(region) < 3:
            return region
        found = cv2.intersectConvexConvex(np.float32(region), np.float32(outline))[1]
        return np.zeros((0, 2)) if found is None else np.reshape(found, (-1, 2)).astype(float)
    return geometry.Picture(picture.image, [dataclasses.replace(part, region=common(part.region))
                                            for part in picture.parts])


# --------------------------------------------------------------------------------------- geometry


def crop(picture, strength, rng, pool):
    """A rectangle of 95 to 25 % of the area."""
    return attacks.crop(picture, linear(strength, 95, 25), rng, pool)


def rotation(picture, strength, rng, pool):
    """By up to half a turn, to either side, onto a canvas that holds all of it."""
    return attacks.rotate(picture, (-1, 1)[either(rng)] * 180 * strength, rng, pool)


def mirror(picture, strength, rng, pool):
    """Left and right exchanged; from strength 0.75, top and bottom."""
    return attacks.mirror(picture, "horizontal" if strength < 0.75 else "vertical", rng, pool)


def aspect(picture, strength, rng, pool):
    """One of the sides shrinks or grows: the ratio changes by up to 1.6."""
    factor = growing(strength, 1, 1.6) ** 0.5
    factor = factor if either(rng) else 1 / factor
    return geometry.resized(picture, max(8, round(picture.width * factor)),
                            max(8, round(picture.height / factor)))


def perspective(picture, strength, rng, pool):
    """Each corner moves inward by up to 20 % of each side."""
    return attacks.perspective(picture, 0.2 * strength, rng, pool)


def lens(picture, strength, rng, pool):
    """Barrel or pincushion: k1 up to 0.35 at the corners; the scale of the area's mean is kept.

    The truth is approximate: see bent.
    """
    k1 = (-0.35, 0.35)[either(rng)] * strength
    x, y = columns_and_rows(picture.width, picture.height)
    x, y = x - (picture.width - 1) / 2, y - (picture.height - 1) / 2
    corner = (picture.width ** 2 + picture.height ** 2) / 4
    outward = (1 + k1 * (x ** 2 + y ** 2) / corner) / (1 + k1 / 3)
    return bent(picture, x * outward + (picture.width - 1) / 2, y * outward + (picture.height - 1) / 2,
                (0, 0, 0))


def wave(picture, strength, rng, pool):
    """Rows and columns swing by up to 2 % in one to three periods; the truth is approximate: see bent."""
    reach = 0.02 * strength * side(picture)
    x, y = columns_and_rows(picture.width, picture.height)
    periods, phases = rng.uniform(1, 3, 2), rng.uniform(0, 2 * np.pi, 2)
    across = reach * np.sin(2 * np.pi * periods[0] * y / picture.height + phases[0])
    down = reach * np.sin(2 * np.pi * periods[1] * x / picture.width + phases[1])
    return bent(picture, x + across, y + (down if either(rng) else 0), (int(rng.integers(0, 2)) * 255,) * 3)


def stretch(picture, strength, rng, pool):
    """One part, left, right, top or bottom, grows in one direction by up to 1.4.

    The truth is approximate: see bent.
    """
    along, size = int(rng.integers(0, 2)), [picture.width, picture.height]
    cut = size[along] * rng.uniform(0.35, 0.65)
    lengths = np.array([cut, size[along] - cut])
    new_lengths = lengths * rng.permutation([1, 1 + 0.4 * strength])
    old_knots = np.array([0, cut, size[along]]) - 0.5
    new_knots = np.append(0, np.cumsum(new_lengths)) - 0.5
    new_size = list(size)
    new_size[along] = round(new_lengths.sum())
    maps = columns_and_rows(*new_size)
    maps[along] = np.clip(np.interp(maps[along], new_knots, old_knots), 0, size[along] - 1)
    return bent(picture, *maps, (0, 0, 0))


# ------------------------------------------------------------------------------------------- tone


def gamma(picture, strength, rng, pool):
    """Exponents from 1 to 3, or to a third."""
    return attacks.gamma(picture, growing(strength, 1, 3 if either(rng) else 1 / 3), rng, pool)


def contrast(picture, strength, rng, pool):
    """Distances from middle grey shrink to 0.3 or grow to 2.5 of what they were."""
    return attacks.contrast(picture, growing(strength, 1, 2.5 if either(rng) else 0.3), rng, pool)


def hue(picture, strength, rng, pool):
    """Hues turn by up to 180 degrees."""
    return attacks.hue(picture, steps(strength, 10, 180), rng, pool)


def grey(picture, strength, rng, pool):
    """Half to all of the colour is gone."""
    return mixed(picture, attacks.grey(picture, 1, rng, pool).image, linear(strength, 0.5, 1))


def channels(picture, strength, rng, pool):
    """Colour channels in another order; from strength 0.5, one of them only, in grey."""
    if strength >= 0.5:
        return picture.with_image(threefold(picture.image[..., int(rng.integers(0, 3))]))
    orders = [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    order = orders[int(rng.integers(0, len(orders)))]
    return picture.with_image(np.ascontiguousarray(picture.image[..., order]))


def posterise(picture, strength, rng, pool):
    """32 to 4 levels in each channel."""
    levels = round(growing(strength, 32, 4))
    return attacks.lookup(picture, lambda v: np.rint(v * (levels - 1)) / (levels - 1))


def solarise(picture, strength, rng, pool):
    """What is brighter than 0.9 to 0.5 of white is inverted."""
    limit = linear(strength, 0.9, 0.5)
    return attacks.lookup(picture, lambda v: np.where(v > limit, 1 - v, v))


def equalise(picture, strength, rng, pool):
    """0.4 to all of the histogram of brightness is made flat."""
    parts = cv2.cvtColor(picture.image, cv2.COLOR_BGR2YCrCb)
    parts[..., 0] = cv2.equalizeHist(np.ascontiguousarray(parts[..., 0]))
    return mixed(picture, cv2.cvtColor(parts, cv2.COLOR_YCrCb2BGR), linear(strength, 0.4, 1))


def low_light(picture, strength, rng, pool):
    """0.7 to 0.2 of the light, and noise of 2 to 8 levels, more where it is brighter."""
    dark = picture.image * linear(strength, 0.7, 0.2)
    deviation = linear(strength, 2, 8) * (0.4 + np.sqrt(dark / 255))
    return attacks.pixelwise(picture, dark + deviation * rng.standard_normal(dark.shape, np.float32))


def tint(picture, strength, rng, pool):
    """0.3 to all of it is in tones between a dark and a light colour, as on a duotone print."""
    dark, light = rng.uniform(0, 90, 3), rng.uniform(150, 255, 3)
    tones = grey_of(picture)[..., None] / 255
    return mixed(picture, dark + (light - dark) * tones, linear(strength, 0.3, 1))


def invert(picture, strength, rng, pool):
    """A photographic negative, whose contrast shrinks to 0.6."""
    return attacks.contrast(attacks.invert(picture, 1, rng, pool), linear(strength, 1, 0.6), rng, pool)


# ---------------------------------------------------------------------------------------- texture


def blur(picture, strength, rng, pool):
    """Gaussian of a standard deviation of 0.1 to 0.8 %."""
    return attacks.blur(picture, max(0.3, linear(strength, 0.001, 0.008) * side(picture)), rng, pool)


def median(picture, strength, rng, pool):
    """Medians of squares of 3 pixels to 2.5 %."""
    reach = max(1, round(linear(strength, 0, 0.0125) * side(picture)))
    return picture.with_image(cv2.medianBlur(picture.image, 2 * reach + 1))


def sharpen(picture, strength, rng, pool):
    """Unsharp masking, 0.5 to 4 times the difference."""
    soft = cv2.GaussianBlur(np.float32(picture.image), (0, 0), 1.5)
    return attacks.pixelwise(picture, picture.image + linear(strength, 0.5, 4) * (picture.image - soft))


def noise(picture, strength, rng, pool):
    """Gaussian of 5 to 55 levels, or 1 to 15 % of the pixels black or white."""
    if either(rng):
        return attacks.noise(picture, linear(strength, 5, 55), rng, pool)
    image, lot = picture.image.copy(), rng.random(picture.image.shape[:2])
    share = linear(strength, 0.01, 0.15)
    image[lot < share / 2], image[lot > 1 - share / 2] = 0, 255
    return picture.with_image(image)


def jpeg(picture, strength, rng, pool):
    """Quality 60 to 5."""
    return attacks.jpeg(picture, round(growing(strength, 60, 5)), rng, pool)


def pixelation(picture, strength, rng, pool):
    """Squares of one colour, of 2 pixels to 1.7 %."""
    square = max(2, linear(strength, 0.004, 0.017) * side(picture))
    size = (max(4, round(picture.width / square)), max(4, round(picture.height / square)))
    small = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    return picture.with_image(cv2.resize(small, (picture.width, picture.height),
                                         interpolation=cv2.INTER_NEAREST))


def screen(width, height, period, turn):
    """A print screen's thresholds in [0, 1]: dots of a period in pixels, turned by an angle."""
    x, y = columns_and_rows(width, height)
    across, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return 0.5 + 0.25 * (np.cos(2 * np.pi * across / period) + np.cos(2 * np.pi * down / period))


def halftone(picture, strength, rng, pool):
    """Printed in dots of 3 pixels to 1.6 % in one or three inks; 0.5 to all of it."""
    period = max(3, linear(strength, 0.007, 0.016) * side(picture))
    values = np.float32(picture.image) if either(rng) else threefold(grey_of(picture))
    turns = np.deg2rad([15, 75, 45]) if either(rng) else np.deg2rad([45, 45, 45])
    dots = np.dstack([screen(picture.width, picture.height, period, turn) for turn in turns])
    printed = 255 * np.clip(0.5 + 3 * (values / 255 - 0.1 - 0.8 * dots), 0, 1)
    return mixed(picture, printed, linear(strength, 0.5, 1))


def sketch(picture, strength, rng, pool):
    """0.5 to all of it as a pencil drawing: a colour dodge of the tones by their blurred negative."""
    tones = grey_of(picture)
    negative = cv2.GaussianBlur(255 - tones, (0, 0), max(1, 0.008 * side(picture)))
    drawn = np.clip(255 * tones / np.maximum(1, 255 - negative), 0, 255)
    return mixed(picture, threefold(255 * (drawn / 255) ** 3), linear(strength, 0.5, 1))


def edges(picture, strength, rng, pool):
    """0.5 to all of it as edges only: Canny's, or the Laplacian, on black or white."""
    tones = cv2.GaussianBlur(grey_of(picture), (0, 0), 1.2)
    if either(rng):
        drawn = np.float32(cv2.Canny(np.uint8(tones), 40, 110))
    else:
        drawn = np.clip(12 * np.abs(cv2.Laplacian(tones, cv2.CV_32F)), 0, 255)
    return mixed(picture, threefold(drawn if either(rng) else 255 - drawn), linear(strength, 0.5, 1))


def erosion(picture, strength, rng, pool):
    """Dark or light things grow, by 1 pixel to 0.7 % all around."""
    reach = max(1, round(linear(strength, 0, 0.007) * side(picture)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    return picture.with_image((cv2.erode if either(rng) else cv2.dilate)(picture.image, kernel))


def emboss(picture, strength, rng, pool):
    """0.4 to all of it as a relief that is lit from one side."""
    turn = rng.uniform(0, 2 * np.pi)
    tones = cv2.GaussianBlur(grey_of(picture), (0, 0), 0.8)
    slope = (np.cos(turn) * cv2.Sobel(tones, cv2.CV_32F, 1, 0)
             + np.sin(turn) * cv2.Sobel(tones, cv2.CV_32F, 0, 1))
    return mixed(picture, threefold(np.clip(128 + 0.8 * slope, 0, 255)), linear(strength, 0.4, 1))


def oil(picture, strength, rng, pool):
    """Smoothed within edges, by Kuwahara's filter of 2 pixels to 1.2 %."""
    reach = max(2, round(linear(strength, 0.002, 0.012) * side(picture)))
    image, square = np.float32(picture.image), (reach + 1,) * 2
    tones, best, least = grey_of(picture), None, None
    for anchor in ((0, 0), (reach, 0), (0, reach), (reach, reach)):
        mean = cv2.blur(tones, square, anchor=anchor)
        spread = cv2.blur(tones * tones, square, anchor=anchor) - mean * mean
        smooth = cv2.blur(image, square, anchor=anchor)
        better = np.ones(tones.shape, bool) if least is None else spread < least
        least = spread if least is None else np.minimum(least, spread)
        best = smooth if best is None else np.where(better[..., None], smooth, best)
    return attacks.pixelwise(picture, best)


# ---------------------------------------------------------------------------------------- overlay


def text(picture, strength, rng, pool):
    """1 to 6 lines of bold words anywhere, each a tenth of the height."""
    return attacks.text(picture, steps(strength, 1, 6), rng, pool)


def stickers(picture, strength, rng, pool):
    """1 to 8 badges and faces, each 8 to 15 %, or up to 35 %, of the shorter side."""
    for _ in range(steps(strength, 1, 8)):
        share = rng.uniform(0.08, linear(strength, 0.15, 0.35))
        if either(rng):
            picture = attacks.logo(picture, share, rng, pool)
        else:
            picture = attacks.badges(picture, 1, share, rng, lambda size: drawing.face(
                size, drawing.colour(rng), int(rng.integers(0, 3))))
    return picture


def scribbles(picture, strength, rng, pool):
    """1 to 7 strokes of a pen, 0.5 to 2 % thick, that go to and fro."""
    image = picture.image.copy()
    for _ in range(steps(strength, 1, 7)):
        start = rng.uniform([0, 0], [picture.width, picture.height])
        walk = np.cumsum(rng.normal(0, 0.12 * side(picture), (7, 2)), axis=0)
        line = start + cv2.resize(np.float32(walk), (2, 70), interpolation=cv2.INTER_CUBIC)
        cv2.polylines(image, [np.int32(np.rint(line))], False, drawing.colour(rng),
                      max(2, round(rng.uniform(0.005, 0.02) * side(picture))), cv2.LINE_AA)
    return picture.with_image(image)


def logo(picture, strength, rng, pool):
    """One badge, 10 to 60 % of the shorter side wide."""
    return attacks.logo(picture, linear(strength, 0.1, 0.6), rng, pool)


def caption(picture, strength, rng, pool):
    """A bar with a line of text, 10 to 30 % of the height, above, below, or over one end of it."""
    bar = max(10, round(linear(strength, 0.1, 0.3) * picture.height))
    above, over = either(rng), either(rng)
    height = picture.height + (0 if over else bar)
    canvas = np.full((height, picture.width, 3), drawing.colour(rng), np.uint8)
    done = geometry.placed(canvas, picture, 0, bar if above and not over else 0)
    top = 0 if above else height - bar
    done.image[top:top + bar] = drawing.colour(rng) if over else canvas[0, 0]
    paint = (255,) * 3 if done.image[top, 0].sum() < 380 else (0,) * 3
    mask = drawing.fitting_mask(drawing.words(rng, 4), max(8, bar // 2), picture.width, True)
    drawing.stamp(done.image, mask, (picture.width - mask.shape[1]) // 2,
                  top + (bar - mask.shape[0]) // 2, paint)
    return geometry.covered(done, 0, bar if above else 0, done.width, height - bar)


def frame(picture, strength, rng, pool):
    """2 to 25 % of the longer side around it, in one colour or another picture's pixels."""
    share = linear(strength, 0.02, 0.25)
    if either(rng):
        return attacks.border(picture, share, rng, pool)
    thick = max(1, round(share * max(picture.width, picture.height)))
    canvas = covering(pool.backdrop(rng), picture.width + 2 * thick, picture.height + 2 * thick)
    return geometry.placed(canvas, picture, thick, thick)


def inset(picture, strength, rng, pool):
    """Another picture hides 10 to 70 % of the area, at any place, but no side all along.

    A region can have no hole: it is that of all of the picture.
    """
    share = linear(strength, 0.1, 0.7)
    low, high = max(share / 0.93, share ** 0.5 / 1.3), min(0.93, share ** 0.5 * 1.3)
    across = rng.uniform(low, high)
    width = max(1, round(across * picture.width))
    height = max(1, round(share / across * picture.height))
    image, other = picture.image.copy(), covering(pool.backdrop(rng), max(8, width), max(8, height))
    x = int(rng.integers(0, picture.width - width + 1))
    y = int(rng.integers(0, picture.height - height + 1))
    image[y:y + height, x:x + width] = other[:height, :width]
    return picture.with_image(image)


def censor(picture, strength, rng, pool):
    """1 to 5 blocks, each up to 35 x 20 % of it, black, in one colour or pixelated."""
    image = picture.image.copy()
    for _ in range(steps(strength, 1, 5)):
        width = max(4, round(rng.uniform(0.1, 0.35) * picture.width))
        height = max(4, round(rng.uniform(0.05, 0.2) * picture.height))
        x = int(rng.integers(0, max(1, picture.width - width)))
        y = int(rng.integers(0, max(1, picture.height - height)))
        block, kind = image[y:y + height, x:x + width], int(rng.integers(0, 3))
        if kind == 0:
            small = cv2.resize(block, (4, 3), interpolation=cv2.INTER_AREA)
            block[:] = cv2.resize(small, block.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        else:
            block[:] = (0, 0, 0) if kind == 1 else drawing.colour(rng)
    return picture.with_image(image)


def watermark(picture, strength, rng, pool):
    """A tilted white text all over, 0.15 to 0.8 opaque."""
    return attacks.watermark(picture, linear(strength, 0.15, 0.8), rng, pool)


def blend(picture, strength, rng, pool):
    """0.8 to 0.45 of the picture, the rest another one."""
    return attacks.blend(picture, linear(strength, 0.8, 0.45), rng, pool)


# ------------------------------------------------------------------------------------ composition


def paste(picture, strength, rng, pool):
    """Inside another picture, of whose area it takes up to 70 to 12 %."""
    return attacks.paste(picture, growing(strength, 70, 12), rng, pool)


def collage(picture, strength, rng, pool):
    """A grid of 2, 3, 4 or 6 originals."""
    return attacks.collage(picture, (2, 3, 4, 6)[steps(strength, 0, 3)], rng, pool)


def beside(picture, strength, rng, pool):
    """Another picture at one side, so that this one takes 70 to 30 % of the whole."""
    share, canvas = linear(strength, 0.7, 0.3), [picture.width, picture.height]
    along, first = int(rng.integers(0, 2)), either(rng)
    canvas[along] = round(canvas[along] / share)
    other = [picture.width, picture.height]
    other[along] = canvas[along] - other[along]
    image = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    pixels = covering(pool.backdrop(rng), max(8, other[0]), max(8, other[1]))[:other[1], :other[0]]
    x, y = [(canvas[i] - other[i]) * first for i in range(2)]
    image[y:y + other[1], x:x + other[0]] = pixels
    place = [other[i] * (i == along) * (not first) for i in range(2)]
    return geometry.placed(image, picture, *place)


def screenshot(picture, strength, rng, pool):
    """Inside a drawn phone app or browser window, which is shown at its size or down to 0.6 of it."""
    done = attacks.screenshot(picture, "phone" if either(rng) else "browser", rng, pool)
    return geometry.scaled(done, linear(strength, 1, 0.6))


def post(picture, strength, rng, pool):
    """In a card of a social network, with avatar, name, text and buttons; 560 to 310 pixels wide."""
    factor = min(520 / picture.width, 620 / picture.height)
    small = geometry.resized(picture, min(520, max(8, round(picture.width * factor))),
                             min(620, max(8, round(picture.height * factor))))
    ground, ink = ((34, 30, 28), (225, 225, 225)) if either(rng) else ((252, 252, 252), (40, 40, 40))
    canvas = np.full((small.height + 210, 560, 3), ground, np.uint8)
    pixels, mask = drawing.face(52, drawing.colour(rng), int(rng.integers(0, 3)))
    drawing.stamp_pixels(canvas, pixels, mask, 20, 18)
    drawing.stamp(canvas, drawing.text_mask(drawing.words(rng, 2), 20, True), 86, 24, ink)
    drawing.stamp(canvas, drawing.text_mask(f"{int(rng.integers(2, 59))} min", 14), 86, 52, ink, 0.6)
    drawing.paragraph(canvas, rng, 20, 88, 520, 54, 17, ink)
    done = geometry.placed(canvas, small, (560 - small.width) // 2, 145)
    for i, label in enumerate(("like", "comment", "share")):
        cv2.circle(done.image, (40 + 175 * i, small.height + 177), 12, ink, 2, cv2.LINE_AA)
        drawing.stamp(done.image, drawing.text_mask(f"{int(rng.integers(1, 900))} {label}", 16),
                      62 + 175 * i, small.height + 170, ink)
    return geometry.scaled(done, linear(strength, 1, 0.55))


def gallery(picture, strength, rng, pool):
    """One of 6 to 20 thumbnails on a page, 260 to 150 pixels wide, each with a caption."""
    columns, rows, width = steps(strength, 3, 5), steps(strength, 2, 4), steps(strength, 260, 150)
    height = round(0.75 * width)
    page = np.full((60 + rows * (height + 34), 20 + columns * (width + 14), 3), 250, np.uint8)
    page[:44] = drawing.colour(rng)
    drawing.stamp(page, drawing.text_mask(drawing.words(rng, 3), 22, True), 20, 10, (255,) * 3)
    here, done = int(rng.integers(0, columns * rows)), geometry.Picture(page, [])
    for i in range(columns * rows):
        x, y = 14 + (i % columns) * (width + 14), 56 + (i // columns) * (height + 34)
        shown = picture if i == here else geometry.Picture(pool.backdrop(rng), [])
        placed = geometry.placed(done.image, geometry.covering(shown, width, height), x, y)
        done = geometry.Picture(placed.image, done.parts + placed.parts)
        drawing.stamp(done.image, drawing.fitting_mask(drawing.words(rng, 2), 13, width), x,
                      y + height + 6, (60,) * 3)
    return done


def outline_around(width, height, share, rng):
    """An irregular closed line around the middle of a rectangle, of `share` of its area: points."""
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    wobble = sum(rng.uniform(0.1, 0.35) / k * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
                 for k in range(2, 7))
    reach = np.minimum(1, np.sqrt(share) * (1 + wobble))
    along = np.column_stack([np.cos(turn), np.sin(turn)])
    edge = along / np.abs(along).max(axis=1, keepdims=True)
    return (edge * reach[:, None] * 0.5 + 0.5) * [width, height] - 0.5


def cutout(picture, strength, rng, pool):
    """80 to 40 % of it, cut out around the middle along an irregular line, on another picture.

    The region is the convex hull of what was cut out.
    """
    canvas = pool.backdrop(rng)
    height, width = canvas.shape[:2]
    factor = min(linear(strength, 0.95, 0.65) * s for s in (width / picture.width,
                                                            height / picture.height))
    small = geometry.scaled(picture, factor)
    small = geometry.cropped(small, 0, 0, min(width, small.width), min(height, small.height))
    x = int(rng.integers(0, width - small.width + 1))
    y = int(rng.integers(0, height - small.height + 1))
    line = outline_around(small.width, small.height, linear(strength, 0.8, 0.4), rng) + [x, y]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.int32(np.rint(line * 16))], 255, cv2.LINE_AA, 4)
    done = geometry.placed(canvas, small, x, y)
    share = np.float32(mask)[..., None] / 255
    done.image[:] = np.rint(canvas * (1 - share) + done.image * share)
    return behind(done, cv2.convexHull(np.float32(line))[:, 0])


def kaleidoscope(picture, strength, rng, pool):
    """All to half of it, and beside that the same mirrored.

    The truth names the part that is not mirrored.
    """
    share, across, first = linear(strength, 1, 0.5), either(rng), either(rng)
    width = round(picture.width * (share if across else 1))
    height = round(picture.height * (1 if across else share))
    kept = geometry.cropped(picture, 0, 0, width, height)
    flipped = kept.image[:, ::-1] if across else kept.image[::-1]
    both = [flipped, kept.image] if first else [kept.image, flipped]
    canvas = np.concatenate(both, axis=1 if across else 0)
    return geometry.placed(canvas, kept, width * (across and first), height * (not across and first))


# ----------------------------------------------------------------------------------------- camera


def print_scan(picture, strength, rng, pool):
    """A photographed print: perspective up to 10 %, blur to 1.4 pixels, noise to 12, JPEG to 35."""
    return attacks.printed(picture, linear(strength, 0.01, 0.1), linear(strength, 0.4, 1.4),
                           linear(strength, 2, 12), round(linear(strength, 85, 35)), rng, pool)


def with_pixel_grid(image, depth):
    """Three times the size, each pixel as three stripes of colour with dark lines between rows."""
    large = np.repeat(np.repeat(np.float32(image), 3, axis=0), 3, axis=1)
    for channel in range(3):
        for column in {0, 1, 2} - {channel}:
            large[:, column::3, channel] *= 1 - depth
    large[2::3] *= 1 - depth
    return np.uint8(np.clip(large * (1 + depth), 0, 255))


def screen_photo(picture, strength, rng, pool):
    """A photograph of a screen: its bezel, perspective, light falling off, and the moiré of its pixels.

    At most 640 pixels of the longer side are on the screen, and the corners move by up to 12 %.
    """
    small = geometry.scaled(picture, min(1, 640 / max(picture.width, picture.height)))
    bezel = round(0.04 * side(small)) + 2
    large = geometry.resized(small, 3 * small.width, 3 * small.height)
    large.image[:] = with_pixel_grid(small.image, linear(strength, 0.15, 0.5))
    dark = (int(rng.integers(10, 45)),) * 3
    done = geometry.placed(np.full((large.height + 6 * bezel, large.width + 6 * bezel, 3), dark, np.uint8),
                           large, 3 * bezel, 3 * bezel)
    scale, margin = rng.uniform(0.3, 0.4), round(0.05 * side(small))
    corners = geometry.rectangle(0, 0, done.width, done.height)
    inward = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * rng.uniform(0, 0.12 * strength, (4, 2))
    target = (corners + inward * [done.width, done.height]) * scale + margin
    matrix = cv2.getPerspectiveTransform(np.float32(corners), np.float32(target))
    done = geometry.warped(done, matrix, round(done.width * scale) + 2 * margin,
                           round(done.height * scale) + 2 * margin, tuple(rng.integers(60, 200, 3).tolist()))
    done = attacks.noise(uneven_light(done, 0.5 * strength, rng, pool), linear(strength, 2, 7), rng, pool)
    return attacks.jpeg(done, round(linear(strength, 85, 50)), rng, pool)


def moire(picture, strength, rng, pool):
    """Two nearly equal gratings of 2.2 to 4 pixels over it; 0.15 to 0.6 of the light is lost in lines."""
    x, y = columns_and_rows(picture.width, picture.height)
    period, turn = rng.uniform(2.2, 4), rng.uniform(0, np.pi)
    light = 1.0
    for factor, more in ((1, 0), (rng.uniform(1.02, 1.08), rng.uniform(0.02, 0.1))):
        along = x * np.cos(turn + more) + y * np.sin(turn + more)
        light = light * (0.5 + 0.5 * np.cos(2 * np.pi * along / (period * factor)))
    depth = linear(strength, 0.15, 0.6)
    return attacks.pixelwise(picture, picture.image * (1 + depth / 2 - 1.5 * depth * light[..., None]))


def defocus_shake(picture, strength, rng, pool):
    """Motion blur of 0.4 to 3 %, blur of 0.3 to 1.5 pixels and noise of 2 to 10 levels."""
    length = max(2, round(linear(strength, 0.004, 0.03) * side(picture)))
    turn, size = rng.uniform(0, np.pi), 2 * (length // 2) + 3
    kernel, middle = np.zeros((size, size), np.float32), size // 2
    for t in np.linspace(-length / 2, length / 2, 4 * length):
        kernel[round(middle + t * np.sin(turn)), round(middle + t * np.cos(turn))] += 1
    moved = picture.with_image(cv2.filter2D(picture.image, -1, kernel / kernel.sum(),
                                            borderType=cv2.BORDER_REPLICATE))
    soft = attacks.blur(moved, linear(strength, 0.3, 1.5), rng, pool)
    return attacks.noise(soft, linear(strength, 2, 10), rng, pool)


def uneven_light(picture, strength, rng, pool):
    """Light falls off to one side, to 0.8 to 0.25, and a soft spot adds up to 110 levels."""
    x, y = columns_and_rows(picture.width, picture.height)
    x, y, turn = x / picture.width - 0.5, y / picture.height - 0.5, rng.uniform(0, 2 * np.pi)
    along = 0.5 + (x * np.cos(turn) + y * np.sin(turn)) / (abs(np.cos(turn)) + abs(np.sin(turn)))
    light = linear(strength, 0.8, 0.25) + (1 - linear(strength, 0.8, 0.25)) * along
    centre, reach = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.1, 0.3)
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * reach ** 2))
    return attacks.pixelwise(picture, picture.image * light[..., None]
                             + 110 * strength * spot[..., None])


FAMILIES = {
    "geometry": (crop, rotation, mirror, aspect, perspective, lens, wave, stretch),
    "tone": (gamma, contrast, hue, grey, channels, posterise, solarise, equalise, low_light, tint,
             invert),
    "texture": (blur, median, sharpen, noise, jpeg, pixelation, halftone, sketch, edges, erosion,
                emboss, oil),
    "overlay": (text, stickers, scribbles, logo, caption, frame, inset, censor, watermark, blend),
    "composition": (paste, collage, beside, screenshot, post, gallery, cutout, kaleidoscope),
    "camera": (print_scan, screen_photo, moire, defocus_shake, uneven_light),
}
OPERATIONS = {function.__name__: (family, function)
              for family, functions in FAMILIES.items() for function in functions}

COUNTS = (0.5, 0.3, 0.2)   # the shares of compositions of 1, 2 and 3 operations
MILDER = (1.0, 0.8, 0.65)  # times the strength of each of so many


def drawn(families, rng):
    """[(name, family, strength)] of a composition: 1 to 3 different operations of the families."""
    count = 1 + int(rng.choice(len(COUNTS), p=COUNTS))
    found = {}
    while len(found) < min(count, sum(len(FAMILIES[family]) for family in families)):
        family = families[int(rng.integers(0, len(families)))]
        name = FAMILIES[family][int(rng.integers(0, len(FAMILIES[family])))].__name__
        strength = round(float(rng.uniform(0, 1)) * MILDER[count - 1], 3)
        found.setdefault(name, (name, family, strength))
    return list(found.values())


def compose(picture, families, rng, pool):
    """(picture, [(name, family, strength)]) after 1 to 3 operations, one after the other."""
    done = drawn(families, rng)
    for name, _, strength in done:
        picture = OPERATIONS[name][1](picture, strength, rng, pool)
    return picture, done
