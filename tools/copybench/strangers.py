"""Pictures that look alike and are no copies of one another: groups with a shared trait.

`member(group, photo, rng, theme)` gives one picture of a group. `theme` is a seed: members of equal
theme share the trait (the same watermark, the same template), and all else comes from `rng` and the
photo. Pixels are BGR.
"""

import string

import cv2
import numpy as np

import attacks
import drawing
import geometry
import operations


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


def finder_patterns(dark):
    """Draws the three corners and the timing lines of a code into square modules, in place."""
    size = len(dark)
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        dark[max(0, top - 1):top + 8, max(0, left - 1):left + 8] = False
        dark[top:top + 7, left:left + 7] = True
        dark[top + 1:top + 6, left + 1:left + 6] = False
        dark[top + 2:top + 5, left + 2:left + 5] = True
    dark[6, 8:size - 8] = dark[8:size - 8, 6] = np.arange(size - 16) % 2 == 0


def qr(photo, rng, shared):
    """Codes of one size: corners, timing lines and ink are shared, the other modules are not."""
    size, ink = int(shared.integers(21, 34)), shared.integers(0, 70, 3)
    dark = rng.integers(0, 2, (size, size)).astype(bool)
    finder_patterns(dark)
    modules = np.where(np.pad(dark, 4)[..., None], ink, 255).astype(np.uint8)
    return cv2.resize(modules, (600, 600), interpolation=cv2.INTER_NEAREST)


def handwriting(image, text, x, y, height, rng):
    """Writes a line in a script font, slanted and uneven, its first letter at (x, y), in place."""
    font, slant = cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, rng.uniform(-0.1, 0.3)
    scale = height / 30 * rng.uniform(0.85, 1.15)
    width = cv2.getTextSize(text, font, scale, 2)[0][0] + 2 * height
    mask = np.zeros((2 * height, width), np.uint8)
    cv2.putText(mask, text, (height, round(1.3 * height)), font, scale, 255, 2, cv2.LINE_AA)
    columns, rows = operations.columns_and_rows(width, 2 * height)
    swing = 0.08 * height * np.sin(columns / rng.uniform(20, 60) + rng.uniform(0, 6))
    mask = cv2.remap(mask, np.float32(columns + slant * (rows - height)), np.float32(rows + swing),
                     cv2.INTER_LINEAR)
    drawing.stamp(image, np.float32(mask) / 255, x - height, y - height // 2,
                  tuple(rng.integers(0, 60, 3) + [60, 0, 0]), 0.9)


def form(photo, rng, shared):
    """One printed form, filled in by different hands."""
    image = np.full((840, 620, 3), (246, 250, 250), np.uint8)
    ink = tuple(int(v) for v in shared.integers(20, 110, 3))
    drawing.stamp(image, drawing.fitting_mask(drawing.words(shared, 4), 30, 560, True), 30, 20, ink)
    drawing.paragraph(image, shared, 30, 60, 560, 40, 12, ink)
    for row in range(13):
        y, split = 112 + 46 * row, int(shared.integers(240, 420))
        for left, right in (((30, split), (split + 10, 590)) if shared.integers(0, 2) else ((30, 590),)):
            cv2.rectangle(image, (left, y), (right, y + 40), ink, 1)
            label = drawing.fitting_mask(drawing.words(shared, 2), 11, right - left - 8)
            drawing.stamp(image, label, left + 4, y + 3, ink)
            handwriting(image, drawing.words(rng, 1 if right - left < 330 else 3), left + 10, y + 15, 20,
                        rng)
    for i in range(6):
        cv2.rectangle(image, (40 + 95 * i, 730), (54 + 95 * i, 744), ink, 1)
        drawing.stamp(image, drawing.text_mask(drawing.words(shared, 1), 12), 60 + 95 * i, 731, ink)
        if rng.integers(0, 2):
            cv2.line(image, (41 + 95 * i, 732), (56 + 95 * i, 745), (90, 20, 20), 2, cv2.LINE_AA)
    drawing.paragraph(image, shared, 30, 760, 560, 60, 11, ink)
    return image


def clef(image, x, y, gap):
    """A treble clef, about 7 gaps high, whose curl is around (x, y), in place."""
    turn = np.linspace(0, 2.6 * np.pi, 40)
    curl = np.column_stack([np.cos(turn), np.sin(turn)]) * (0.4 + turn[:, None] / 6) * gap
    rest = np.array([[1.2, -2.5], [0.9, -4.2], [0.2, -4.4], [0, -3], [0.5, 0], [0.8, 2.6], [0, 3.2],
                     [-0.6, 2.7]]) * gap
    line = np.int32(np.rint(np.vstack([curl, rest]) + [x, y]))
    cv2.polylines(image, [line], False, (20, 20, 20), 2, cv2.LINE_AA)


def notes(image, top, gap, rng):
    """Fills one staff of a sheet with notes and bar lines, in place."""
    x, ink = 110, (20, 20, 20)
    while x < 570:
        if rng.random() < 0.18:
            cv2.line(image, (x, top), (x, top + 4 * gap), ink, 1)
            x += 16
        y, kind = top + int(rng.integers(-1, 10)) * gap // 2, int(rng.integers(0, 3))
        cv2.ellipse(image, (x, y), (gap * 6 // 10, gap * 4 // 10), -20, 0, 360, ink, 2 if kind == 0 else -1,
                    cv2.LINE_AA)
        way = 1 if y < top + 2 * gap else -1
        stem = x - way * (gap // 2)
        cv2.line(image, (stem, y), (stem, y + way * 3 * gap), ink, 1, cv2.LINE_AA)
        if kind == 2:
            cv2.line(image, (stem, y + way * 3 * gap), (stem + gap, y + way * 2 * gap), ink, 2, cv2.LINE_AA)
        x += int(rng.integers(18, 36))


def music(photo, rng, shared):
    """Sheets of music: staves, clefs, key and time are shared, title and notes are not."""
    image = np.full((840, 620, 3), (240, 248, 250), np.uint8)
    title = drawing.fitting_mask(drawing.words(rng, 3), 30, 560, True)
    drawing.stamp(image, title, (620 - title.shape[1]) // 2, 24, (20, 20, 20))
    gap, sharps, time = int(shared.integers(8, 11)), shared.integers(0, 5), shared.integers(2, 7)
    for row in range(7):
        top = 110 + 104 * row
        for line in range(5):
            image[top + line * gap, 30:590] = 60
        clef(image, 48, top + 3 * gap, gap)
        for i in range(sharps):
            drawing.stamp(image, drawing.text_mask("#", 14), 64 + 7 * i, top - 4 + 9 * (i % 3), (20,) * 3)
        if row == 0:
            drawing.stamp(image, drawing.text_mask(str(time), 2 * gap, True), 94, top + 2, (20,) * 3)
            drawing.stamp(image, drawing.text_mask("4", 2 * gap, True), 94, top + 2 * gap + 2, (20,) * 3)
        notes(image, top, gap, rng)
    return image


def road(image, points, width, paint):
    """A smooth street through points, with a dark rim, in place."""
    line = [np.int32(np.rint(points))]
    cv2.polylines(image, line, False, (120, 120, 120), width + 3, cv2.LINE_AA)
    cv2.polylines(image, line, False, paint, width, cv2.LINE_AA)


def crooked(rng, start, end, reach):
    """60 points of a line between two points that leaves it by about `reach` pixels."""
    shares = np.linspace(0, 1, 60)[:, None]
    bends = cv2.resize(np.float32(rng.normal(0, reach, (6, 2))), (2, 60), interpolation=cv2.INTER_CUBIC)
    return np.array(start) + (np.array(end) - start) * shares + bends


def map_sheet(photo, rng, shared):
    """Maps of one style: colours, heading, legend and scale are shared, the places are not."""
    ground, park, water = (tuple(int(v) for v in low + shared.integers(0, 25, 3)) for low in (
        np.array([215, 225, 225]), np.array([160, 205, 170]), np.array([215, 180, 140])))
    image, major = np.full((600, 800, 3), ground, np.uint8), tuple(shared.integers(110, 250, 3).tolist())
    for _ in range(5):
        corners = rng.uniform([0, 0], [800, 600]) + rng.uniform(-110, 110, (7, 2))
        cv2.fillConvexPoly(image, cv2.convexHull(np.int32(corners)), park, cv2.LINE_AA)
    for _ in range(60):
        x, y, width, height = rng.integers((0, 50, 8, 8), (780, 580, 40, 30))
        image[y:y + height, x:x + width] = (190, 200, 205)
    road(image, crooked(rng, (0, rng.uniform(60, 600)), (800, rng.uniform(60, 600)), 40), 26, water)
    for i in range(16):
        across, place = i % 2, rng.uniform(0, 800, 2)
        ends = ((0, place[0]), (800, place[1])) if across else ((place[0], 0), (place[1], 600))
        road(image, crooked(rng, *ends, 14), 11 if i < 4 else 5, major if i < 4 else (255,) * 3)
    for _ in range(22):
        label = drawing.text_mask(drawing.words(rng, int(rng.integers(1, 3))), int(rng.integers(11, 17)))
        drawing.stamp(image, label, int(rng.integers(0, 700)), int(rng.integers(50, 570)), (60, 50, 50))
    image[:40] = major
    drawing.stamp(image, drawing.fitting_mask(drawing.words(shared, 3), 22, 760, True), 16, 9, (20,) * 3)
    image[480:590, 650:790] = 250
    for i, paint in enumerate((park, water, major)):
        image[492 + 26 * i:508 + 26 * i, 660:684] = paint
        drawing.stamp(image, drawing.text_mask(drawing.words(shared, 1), 13), 692, 493 + 26 * i, (30,) * 3)
    image[574:578, 660:760] = 30
    return image


def ground_texture(shared, width, height):
    """A floor full of detail: cloudy colours, grain, and hundreds of shapes of a few colours."""
    image = np.zeros((height, width, 3), np.float32) + shared.uniform(60, 190, 3)
    for cell, reach in ((160, 40), (40, 25), (10, 18), (3, 12)):
        grain = shared.normal(0, reach, (height // cell + 2, width // cell + 2, 3))
        image += cv2.resize(np.float32(grain), (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.uint8(np.clip(image, 0, 255))
    paints = [drawing.colour(shared) for _ in range(6)]
    for _ in range(width * height // 2500):
        middle, reach = shared.uniform([0, 0], [width, height]), shared.uniform(4, 22)
        corners = middle + reach * shared.normal(0, 1, (int(shared.integers(3, 7)), 2))
        cv2.fillConvexPoly(image, cv2.convexHull(np.int32(corners)), paints[int(shared.integers(0, 6))],
                           cv2.LINE_AA)
    return image


def seen_again(texture, rng, width, height):
    """The middle of a texture from another place: other corners, and uneven ground shifts by up to
    about 1 % against it."""
    corners = geometry.rectangle(60, 60, texture.shape[1] - 120, texture.shape[0] - 120)
    matrix = cv2.getPerspectiveTransform(np.float32(corners + rng.uniform(-50, 50, (4, 2))), np.float32(
        geometry.rectangle(0, 0, width, height)))
    x, y = operations.columns_and_rows(width, height)
    shifts = cv2.resize(np.float32(rng.normal(0, 0.006 * width, (5, 6, 2))), (width, height),
                        interpolation=cv2.INTER_CUBIC)
    places = geometry.moved_points(np.linalg.inv(matrix), np.column_stack([
        (x + shifts[..., 0]).ravel(), (y + shifts[..., 1]).ravel()])).reshape(height, width, 2)
    return cv2.remap(texture, np.float32(places), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def carpet(photo, rng, shared):
    """Photographs of different things on the same floor, from other places in other light.

    The thing is cut out of the photograph along an irregular line and hides 30 to 60 % of the floor.
    """
    width, height = 720, 540
    image = seen_again(ground_texture(shared, 900, 700), rng, width, height)
    share = rng.uniform(0.3, 0.6)
    line = operations.outline_around(width, height, share, rng)
    line += rng.uniform(-0.5, 0.5, 2) * (1 - np.sqrt(share)) * [width, height] * 0.6
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.int32(np.rint(line * 16))], 255, cv2.LINE_AA, 4)
    shadow = cv2.GaussianBlur(np.roll(mask, rng.integers(-14, 15, 2), (0, 1)), (0, 0), 9)
    thing, cover = operations.covering(photo, width, height), np.float32(mask)[..., None] / 255
    image = image * (1 - 0.5 * np.float32(shadow)[..., None] / 255) * (1 - cover) + thing * cover
    done = operations.uneven_light(geometry.Picture(np.uint8(image), []), rng.uniform(0.1, 0.6), rng, None)
    done = attacks.noise(done, rng.uniform(2, 8), rng, None)
    return operations.jpeg(done, rng.uniform(0, 0.5), rng, None).image


def template(photo, rng, shared):
    """One certificate: border, headline, seal and lines are shared, the big photograph and name not."""
    width, height, border = 640, 800, 46
    image = np.full((height, width, 3), shared.integers(225, 256, 3), np.uint8)
    paints, sides = [drawing.colour(shared) for _ in range(3)], int(shared.integers(3, 7))
    image[:border] = image[-border:] = image[:, :border] = image[:, -border:] = paints[0]
    pixels, mask = drawing.logo(38, paints[1], paints[2], sides)
    for step in range(0, height - 37, 40):
        for x, y in ((4, step), (width - 42, step), *([(step, 4), (step, height - 42)]
                                                     if step <= width - 42 else [])):
            drawing.stamp_pixels(image, pixels, mask, x, y)
    headline = drawing.fitting_mask(drawing.words(shared, 3), 44, 520, True)
    drawing.stamp(image, headline, (width - headline.shape[1]) // 2, 70, paints[0])
    image[130:540, 70:570] = paints[2]
    image[136:534, 76:564] = operations.covering(photo, 488, 398)
    name = drawing.fitting_mask(drawing.words(rng, 2), 34, 500, True)
    drawing.stamp(image, name, (width - name.shape[1]) // 2, 562, (40, 40, 40))
    drawing.paragraph(image, shared, 80, 620, 480, 60, 15)
    pixels, mask = drawing.logo(64, paints[0], paints[1], sides + 1)
    drawing.stamp_pixels(image, pixels, mask, 480, 680)
    return image


def slide(photo, rng, shared):
    """Slides of one deck: heading, lines and footer are shared, the picture between them not."""
    width, height = 800, 600
    dark = shared.uniform() < 0.5
    paper, ink = (int(v) for v in ((24, 250) if dark else (250, 30)))
    image = np.full((height, width, 3), paper, np.uint8)
    drawing.stamp(image, drawing.fitting_mask(drawing.words(shared, 4), 48, 720, True), 40, 20, drawing.colour(shared))
    size, reach = int(shared.integers(14, 40)), shared.uniform([0.25, 0.2], [0.9, 0.6])
    wide, high = int(reach[0] * 720), int(reach[1] * 470)
    left, top = int(shared.integers(40, 761 - wide)), int(shared.integers(90, 561 - high))
    for first, last in ((90, top - 10), (top + high + 10, 560)):
        if last - first > 2 * size:
            drawing.paragraph(image, shared, 40, first, 720, last - first, size, (ink,) * 3)
    image[top:top + high, left:left + wide] = operations.covering(photo, wide, high)
    drawing.stamp(image, drawing.text_mask(str(int(rng.integers(1, 200))), 16, True), 740, 572, (ink,) * 3)
    return image


def typed(photo, rng, shared):
    """One application in print: frame, labels and boxes are shared, what is typed into them is not."""
    rows, split = int(shared.integers(8, 20)), int(shared.integers(180, 330))
    pitch, ink = 700 // rows, tuple(int(v) for v in shared.integers(20, 110, 3))
    image = np.full((840, 620, 3), (250, 252, 252), np.uint8)
    drawing.stamp(image, drawing.fitting_mask(drawing.words(shared, 4), 34, 560, True), 30, 24, ink)
    label_size, entry_size = int(shared.integers(14, 22)), int(shared.integers(15, 26))
    for row in range(rows):
        y = 90 + pitch * row
        label = drawing.fitting_mask(drawing.words(shared, int(shared.integers(1, 3))), label_size, split - 40)
        drawing.stamp(image, label, 30, y + pitch // 4, ink)
        cv2.rectangle(image, (split, y), (590, y + round(0.8 * pitch)), ink, 2)
        letters = rng.integers(0, 36, int(rng.integers(6, 16)))
        entry = "".join((string.ascii_uppercase + string.digits)[i] for i in letters)
        drawing.stamp(image, drawing.fitting_mask(entry, entry_size, 580 - split), split + 8, y + pitch // 5,
                      (40, 40, 40))
    return image


def diagram(photo, rng, shared):
    """Diagrams of one program: boxes of names and the lines between them, in one style."""
    image = np.full((600, 800, 3), 255, np.uint8)
    fill, line = tuple(int(v) for v in shared.integers(190, 256, 3)), tuple(shared.integers(0, 120, 3).tolist())
    size, names = int(shared.integers(12, 18)), [drawing.words(shared, 1) for _ in range(12)]
    places = [(int(rng.integers(10, 600)), y + int(rng.integers(0, 30))) for y in range(10, 540, 90)]
    for (x, y), (to_x, to_y) in zip(places, places[1:]):
        cv2.arrowedLine(image, (to_x + 60, to_y), (x + 60, y + 34), line, 1, cv2.LINE_AA, tipLength=0.15)
    for x, y in places:
        for i in range(int(rng.integers(1, 3))):
            name = drawing.text_mask("::".join(names[k] for k in rng.integers(0, 12, 2)), size)
            left, width = x + i * 300, name.shape[1] + 20
            cv2.rectangle(image, (left, y), (left + width, y + 34), fill, -1)
            cv2.rectangle(image, (left, y), (left + width, y + 34), line, 1)
            drawing.stamp(image, name, left + 10, y + 10, (0, 0, 0))
    return image


def month(photo, rng, shared):
    """Months of one calendar: grid, days of the week and figures are shared, dates and notes are not."""
    width, cell = 700, 100
    image, paint = np.full((640, width, 3), 255, np.uint8), drawing.colour(shared)
    image[:60] = paint
    names, size = drawing.words(shared, 7).split(), int(shared.integers(16, 34))
    title = drawing.fitting_mask(f"{drawing.words(rng, 1)} {2000 + int(shared.integers(0, 40))}", 34, 600, True)
    drawing.stamp(image, title, 20, 14, (255,) * 3)
    start, days = int(rng.integers(0, 7)), int(rng.integers(28, 32))
    rows = 5 if start + days <= 35 else 6
    height = 540 // rows if shared.integers(0, 2) else 90
    for column, name in enumerate(names):
        drawing.stamp(image, drawing.fitting_mask(name, 16, 90), 5 + cell * column, 70, paint)
    for i in range(7 * rows):
        left, top = cell * (i % 7), 95 + height * (i // 7)
        cv2.rectangle(image, (left, top), (left + cell, top + height), (170, 170, 170), 2)
        if start <= i < start + days:
            drawing.stamp(image, drawing.text_mask(str(i - start + 1), size), left + 10, top + 12, (50,) * 3)
        if rng.random() < 0.2:
            note = drawing.fitting_mask(drawing.words(rng, 2), 13, cell - 12)
            drawing.stamp(image, note, left + 6, top + height - 24, (150, 60, 20))
    return image


def stereo(photo, rng, shared):
    """One scene of layers from places side by side: nearer ones shift more."""
    width, height, margin = 720, 540, 120
    image, way = np.zeros((height, width, 3), np.uint8), rng.uniform(-1, 1)
    depth = shared.uniform(0.3, 1)
    for layer in range(int(shared.integers(4, 13))):
        texture = ground_texture(shared, width + margin, height)
        mask = np.full((height, width + margin), 255 if layer == 0 else 0, np.uint8)
        for _ in range(5 if layer else 0):
            middle, reach = shared.uniform([0, 0], [width + margin, height]), shared.uniform(30, 200, 2)
            cv2.ellipse(mask, np.int32(middle).tolist(), np.int32(reach).tolist(), shared.uniform(0, 180), 0,
                        360, 255, -1)
        shift = round((1 + way * depth * layer / 12) * margin / 2)
        inside = mask[:, shift:shift + width] > 0
        image[inside] = texture[:, shift:shift + width][inside]
    return attacks.noise(geometry.Picture(image, []), rng.uniform(0, 6), rng, None).image


def relief(shared, width, height):
    """A scene seen from above, and how near each place of it is, 0 to 1: ground that rises smoothly, and
    things that stand on it."""
    image = ground_texture(shared, width, height)
    near = cv2.resize(np.float32(shared.uniform(0, 0.6, (4, 5))), (width, height),
                      interpolation=cv2.INTER_CUBIC)
    for _ in range(int(shared.integers(0, 9))):
        mask, reach = np.zeros((height, width), np.uint8), shared.uniform(30, 160, 2)
        cv2.ellipse(mask, np.int32(shared.uniform([0, 0], [width, height])).tolist(), np.int32(reach).tolist(),
                    shared.uniform(0, 180), 0, 360, 255, -1)
        image[mask > 0] = ground_texture(shared, width, height)[mask > 0]
        near[mask > 0] += shared.uniform(0.05, 0.4)
    return image, np.clip(near, 0, 1)


def view(photo, rng, shared):
    """One scene from another place, in other light: what is nearer shifts more, by up to 6 %."""
    width, height, margin = 720, 540, 100
    texture, near = relief(shared, width + 2 * margin, height + 2 * margin)
    turn, way = rng.uniform(0, 2 * np.pi), rng.uniform(0.008, 0.06) * width
    middle = (near.shape[1] / 2, near.shape[0] / 2)
    x, y = operations.columns_and_rows(near.shape[1], near.shape[0])
    moved = cv2.remap(texture, np.float32(x + way * np.cos(turn) * near), np.float32(y + way * np.sin(turn) * near),
                      cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    matrix = cv2.getRotationMatrix2D(middle, rng.uniform(-6, 6), rng.uniform(0.95, 1.15))
    turned = cv2.warpAffine(moved, matrix, moved.shape[1::-1], flags=cv2.INTER_AREA,
                            borderMode=cv2.BORDER_REFLECT)
    done = geometry.Picture(turned[margin:-margin, margin:-margin], [])
    done = operations.uneven_light(done, rng.uniform(0, 0.5), rng, None)
    done = operations.gamma(done, rng.uniform(0, 0.4), rng, None)
    done = attacks.blur(done, rng.uniform(0.3, 1.2), rng, None)
    done = attacks.noise(done, rng.uniform(1, 6), rng, None)
    return operations.jpeg(done, rng.uniform(0, 0.4), rng, None).image


GROUPS = {"watermark": watermark, "logo": logo, "caption": caption, "page": page, "chart": chart,
          "brick": brick, "text": text, "qr": qr, "form": form, "music": music, "map": map_sheet,
          "carpet": carpet, "template": template, "typed": typed, "diagram": diagram, "month": month,
          "stereo": stereo, "view": view, "slide": slide}
DEFAULT_GROUPS = ("watermark", "logo", "caption", "page", "chart", "brick", "text")
NEEDS_PHOTO = ("watermark", "logo", "caption", "page", "carpet", "template", "slide")


def member(group, photo, rng, theme):
    """One picture of a group; `photo` (pixels) may be None for the drawn groups."""
    return GROUPS[group](photo, rng, np.random.default_rng(theme))
