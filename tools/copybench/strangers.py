"""Pictures that look alike and are no copies of one another: groups with a shared trait.

`member(group, photo, rng, theme)` gives one picture of a group. `theme` is a seed: members of equal
theme share the trait (the same watermark, the same template), and all else comes from `rng` and the
photo. Pixels are BGR.
"""

import cv2
import numpy as np

import drawing
import geometry


def watermark(photo, rng, shared):
    """The same tilted text over different photographs."""
    image = photo.copy()
    drawing.tiled_text(image, drawing.words(shared, 2), 30, 25, (255,) * 3, 0.5)
    return image


def logo(photo, rng, shared):
    """The same badge and name in a corner of different photographs."""
    image = photo.copy()
    size = min(110, min(image.shape[:2]) // 2)
    pixels, mask = drawing.logo(size, drawing.colour(shared), drawing.colour(shared),
                                int(shared.integers(3, 8)))
    drawing.stamp_pixels(image, pixels, mask, image.shape[1] - size, image.shape[0] - size)
    name = drawing.fitting_mask(drawing.words(shared, 2), 28, image.shape[1] - size, True)
    drawing.stamp(image, name, 0, image.shape[0] - name.shape[0] - 8, drawing.colour(shared))
    return image


def caption(photo, rng, shared):
    """The same sentence under different photographs."""
    height, width = photo.shape[:2]
    image = np.full((height + 90, width, 3), 20, np.uint8)
    image[:height] = photo
    for line in range(2):
        mask = drawing.fitting_mask(drawing.words(shared, 6), 26, width - 20)
        drawing.stamp(image, mask, 10, height + 10 + 40 * line, (255,) * 3)
    return image


def page(photo, rng, shared):
    """Pages of one form: letterhead, rules, labels and footer are shared, text and photograph not."""
    image = np.full((840, 600, 3), (245, 250, 252), np.uint8)
    pixels, mask = drawing.logo(60, drawing.colour(shared), drawing.colour(shared), 5)
    drawing.stamp_pixels(image, pixels, mask, 30, 20)
    drawing.stamp(image, drawing.fitting_mask(drawing.words(shared, 3), 36, 440, True), 110, 30,
                  (30, 30, 30))
    for y in (90, 410, 780):
        image[y:y + 2, 30:570] = (60, 60, 60)
    for row in range(6):
        label = drawing.text_mask(drawing.words(shared, 1) + ":", 16, True)
        drawing.stamp(image, label, 40, 110 + 50 * row, (30, 30, 30))
        drawing.stamp(image, drawing.fitting_mask(drawing.words(rng, 2), 15, 180), 120,
                      111 + 50 * row, (40, 40, 40))
    drawing.paragraph(image, rng, 40, 425, 520, 340, 15)
    drawing.paragraph(image, shared, 40, 790, 520, 45, 11)
    image[100:400, 310:560] = geometry.covering(geometry.Picture(photo, []), 250, 300).image
    return image


def chart(photo, rng, shared):
    """Bar charts of one program: title, axes, legend and names are shared, the data is not."""
    title, names = drawing.words(shared, 4), drawing.words(shared, 8).split()
    paints = [drawing.colour(shared) for _ in range(2)]
    heights = rng.uniform(0.05, 1, (8, 2)) * 300

    def draw(pen, width, height):
        for i in range(6):
            pen.line((70, 390 - 60 * i, 620, 390 - 60 * i), fill=(210, 210, 210))
        for i, pair in enumerate(heights):
            for k in range(2):
                x = 85 + 68 * i + 24 * k
                pen.rectangle((x, 390 - pair[k], x + 22, 390), fill=paints[k])
        pen.line((70, 390, 620, 390), fill=(0, 0, 0), width=2)
        pen.line((70, 80, 70, 390), fill=(0, 0, 0), width=2)

    image = drawing.with_shapes(np.full((480, 640, 3), 255, np.uint8), draw)
    drawing.stamp(image, drawing.fitting_mask(title, 24, 560, True), 70, 20, (0, 0, 0))
    for i, name in enumerate(names):
        drawing.stamp(image, drawing.text_mask(name, 12), 82 + 68 * i, 402, (0, 0, 0))
    for i in range(6):
        drawing.stamp(image, drawing.text_mask(str(20 * i), 13), 36, 384 - 60 * i, (0, 0, 0))
    for k in range(2):
        image[440:454, 200 + 140 * k:214 + 140 * k] = paints[k]
        drawing.stamp(image, drawing.text_mask(names[k], 13), 222 + 140 * k, 440, (0, 0, 0))
    return image


def brick(photo, rng, shared):
    """Walls of one kind of brick; every brick's place, shade and grain is its own."""
    base = np.array([shared.integers(40, 90), shared.integers(60, 100), shared.integers(130, 190)])
    image = np.full((480, 640, 3), (165, 170, 175), np.float32)
    for row in range(17):
        for column in range(-1, 10):
            x, y = column * 70 + (row % 2) * 35, row * 30
            left, top, right, bottom = np.array([x, y, x + 64, y + 24]) + rng.integers(-3, 4, 4)
            left, top = max(0, left), max(0, top)
            image[top:max(top, bottom), left:max(left, right)] = base * rng.uniform(0.7, 1.25)
    grain = rng.standard_normal((120, 160, 1), np.float32)
    fine = rng.standard_normal((480, 640, 1), np.float32)
    image += 14 * cv2.resize(grain, (640, 480), interpolation=cv2.INTER_CUBIC)[..., None] + 9 * fine
    return np.uint8(np.clip(image, 0, 255))


def text(photo, rng, shared):
    """Screens of text in one font and layout, with different words."""
    dark = bool(shared.integers(0, 2))
    ground, ink = (30, 235) if dark else (250, 30)
    image = np.full((600, 800, 3), ground, np.uint8)
    image[:44] = drawing.colour(shared)
    drawing.stamp(image, drawing.text_mask(drawing.words(shared, 3), 20, True), 16, 12, (255,) * 3)
    drawing.paragraph(image, rng, 30, 70, 740, 510, 18, (ink,) * 3)
    return image


GROUPS = {"watermark": watermark, "logo": logo, "caption": caption, "page": page, "chart": chart,
          "brick": brick, "text": text}
NEEDS_PHOTO = ("watermark", "logo", "caption", "page")


def member(group, photo, rng, theme):
    """One picture of a group; `photo` (pixels) may be None for the drawn groups."""
    return GROUPS[group](photo, rng, np.random.default_rng(theme))
