"""A picture that shows parts of originals, and the moves that keep track of where they are.

Coordinates are pixels, the first pixel's centre at (0, 0), x to the right, y down; a picture of width
w reaches from -0.5 to w - 0.5. Matrices are 3 x 3 and take column vectors (x, y, 1).
"""

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass
class Part:
    """What is visible of one original."""
    path: str            # of the original, relative to the bench
    matrix: np.ndarray   # query pixels from original pixels
    region: np.ndarray   # convex polygon in query pixels, n x 2; empty where nothing is visible
    mirrored: bool = False
    inverted: bool = False

    def record(self):
        """The fields of truth.jsonl."""
        return {"path": self.path, "box": box(self.region),
                "original_box": box(moved_points(np.linalg.inv(self.matrix), self.region)),
                "mirrored": self.mirrored, "inverted": self.inverted,
                "transform": [[round(float(v), 9) for v in row]
                              for row in self.matrix / self.matrix[2, 2]]}


@dataclasses.dataclass
class Picture:
    """Pixels (height x width x 3, uint8, BGR) and the parts of originals in them."""
    image: np.ndarray
    parts: list

    @property
    def width(self):
        return self.image.shape[1]

    @property
    def height(self):
        return self.image.shape[0]

    def with_image(self, image):
        """The same parts with other pixels, of the same size."""
        assert image.shape == self.image.shape
        return Picture(image, self.parts)


def whole(path, image):
    """An original that is not attacked yet."""
    height, width = image.shape[:2]
    return Picture(image, [Part(path, np.eye(3), rectangle(0, 0, width, height))])


def rectangle(x, y, width, height):
    """Corners of a block of pixels whose first pixel is (x, y)."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], float) - 0.5


def box(points):
    """[x, y, width, height] around points, in their pixels, to 3 decimals."""
    low, high = points.min(axis=0), points.max(axis=0)
    return [round(float(v), 3) for v in (*low, *(high - low))]


def area(polygon):
    """In square pixels."""
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def moved_points(matrix, points):
    """n x 2 points through a 3 x 3 matrix."""
    if len(points) == 0:
        return points
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


def clipped(polygon, x, y, width, height):
    """The part of a convex polygon inside a block of pixels whose first pixel is (x, y)."""
    for axis, sign, limit in ((0, 1, x - 0.5), (0, -1, x + width - 0.5),
                              (1, 1, y - 0.5), (1, -1, y + height - 0.5)):
        inside = sign * (polygon[:, axis] - limit) if len(polygon) else []
        kept = []
        for i in range(len(polygon)):
            before, now = inside[i - 1], inside[i]
            if (before > 0) != (now > 0) and before != now:
                share = before / (before - now)
                kept.append(polygon[i - 1] + share * (polygon[i] - polygon[i - 1]))
            if now > 0:
                kept.append(polygon[i])
        polygon = np.array(kept, float).reshape(-1, 2)
    return polygon


def moved(picture, image, matrix):
    """`image` shows what `picture` showed, through `matrix` (new pixels from old)."""
    height, width = image.shape[:2]
    parts = [dataclasses.replace(
        part, matrix=matrix @ part.matrix,
        region=clipped(moved_points(matrix, part.region), 0, 0, width, height))
        for part in picture.parts]
    return Picture(image, parts)


def translation(x, y):
    """New pixels from old: old (0, 0) lands on (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def resized(picture, width, height):
    """Scaled to whole pixels; edges land on edges."""
    x, y = width / picture.width, height / picture.height
    method = cv2.INTER_AREA if min(x, y) < 1 else cv2.INTER_CUBIC
    matrix = np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])
    return moved(picture, cv2.resize(picture.image, (width, height), interpolation=method), matrix)


def scaled(picture, factor):
    """Scaled evenly, at least 8 pixels a side."""
    return resized(picture, max(8, round(picture.width * factor)),
                   max(8, round(picture.height * factor)))


def cropped(picture, x, y, width, height):
    """The block of pixels whose first pixel is (x, y)."""
    return moved(picture, picture.image[y:y + height, x:x + width].copy(), translation(-x, -y))


def covering(picture, width, height):
    """Scaled and cropped in the middle to fill width x height pixels."""
    factor = max(width / picture.width, height / picture.height)
    large = resized(picture, max(width, round(picture.width * factor)),
                    max(height, round(picture.height * factor)))
    return cropped(large, (large.width - width) // 2, (large.height - height) // 2, width, height)


def placed(canvas, picture, x, y):
    """`picture` pasted into the pixels `canvas`, its first pixel at (x, y)."""
    image = canvas.copy()
    image[y:y + picture.height, x:x + picture.width] = picture.image
    return moved(picture, image, translation(x, y))


def warped(picture, matrix, width, height, fill):
    """Through any matrix (new pixels from old) into width x height pixels over the colour `fill`."""
    image = cv2.warpPerspective(picture.image, matrix, (width, height), flags=cv2.INTER_LINEAR,
                                borderMode=cv2.BORDER_CONSTANT, borderValue=fill)
    return moved(picture, image, matrix)


def covered(picture, x, y, width, height):
    """Only the given block still shows originals; the caller painted over the rest."""
    return Picture(picture.image, [dataclasses.replace(
        part, region=clipped(part.region, x, y, width, height)) for part in picture.parts])
