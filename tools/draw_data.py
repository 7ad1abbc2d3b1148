#!/usr/bin/env python3
"""Draws the test pictures in data/ (see data/README.md).

For maintainers; the tests only read what it wrote. Needs numpy, OpenCV (cv2) and PIL:
    python3 tools/draw_data.py [FOLDER]      (default: data beside this folder)
Seeded: the same library versions write the same bytes. All pictures are drawn here from random
numbers, so nobody holds rights in them.
"""

import os
import struct
import sys
import zlib

import cv2
import numpy as np
from PIL import Image

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "data")
SIZES = [(320, 240), (240, 320), (400, 300), (300, 300), (360, 270), (280, 400), (320, 240),
         (260, 260)]
WORDS = ["harbour", "Lantern 47", "MAPLE", "quartz", "No. 9", "violet", "RIVER", "osprey", "candle"]


def path(*parts):
    name = os.path.join(ROOT, *parts)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    return name


def scene(seed, width, height):
    """A gradient under random polygons, blobs, lines, words and smooth noise; RGB."""
    rng = np.random.default_rng(seed)
    color = lambda: tuple(int(v) for v in rng.integers(0, 256, 3))
    point = lambda: (int(rng.integers(-20, width + 20)), int(rng.integers(-20, height + 20)))
    across = np.linspace(0, 1, width)[None, :, None]
    down = np.linspace(0, 1, height)[:, None, None]
    a, b, c = (np.array(color(), float) for _ in range(3))
    picture = np.clip(a * (1 - across) + b * across * (1 - down) + c * down * 0.6, 0, 255)
    picture = np.ascontiguousarray(picture.astype(np.uint8))
    for _ in range(45):
        center = np.array(point())
        corners = center + rng.integers(-45, 46, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(picture, [corners.astype(np.int32)], color(), cv2.LINE_AA)
        cv2.ellipse(picture, point(), tuple(int(v) for v in rng.integers(3, 22, 2)),
                    float(rng.uniform(0, 180)), 0, 360, color(), -1, cv2.LINE_AA)
        cv2.line(picture, point(), point(), color(), int(rng.integers(1, 3)), cv2.LINE_AA)
    for word in rng.permutation(WORDS)[:5]:
        start = (int(rng.integers(0, width // 2)), int(rng.integers(20, height)))
        cv2.putText(picture, str(word), start, int(rng.integers(0, 5)),
                    float(rng.uniform(0.6, 1.3)), color(), 2, cv2.LINE_AA)
    noise = rng.normal(0, 9, (height // 3 + 1, width // 3 + 1, 1))
    noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def draw_pictures():
    scenes = []
    for number, (width, height) in enumerate(SIZES, 1):
        scenes.append(scene(1000 + number, width, height))
        Image.fromarray(scenes[-1]).save(path("pictures", f"scene{number}.jpg"), quality=72)
    return [Image.fromarray(s) for s in scenes]


def draw_copies(scenes):
    one, two, three = scenes[0], scenes[1], scenes[2]
    one.crop((60, 40, 250, 200)).save(path("copies", "scene1-crop.jpg"), quality=85)
    two.rotate(30, Image.BICUBIC, expand=True, fillcolor=(255, 255, 255)).save(
        path("copies", "scene2-rotated.jpg"), quality=80)
    three.resize((200, 150), Image.LANCZOS).save(path("copies", "scene3-small.jpg"), quality=40)


def exif(orientation):
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)


# How an upright picture is stored so that the orientation brings it back.
STORED = {1: None, 2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
          5: Image.TRANSPOSE, 6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}


def stored(picture, orientation):
    return picture if orientation == 1 else picture.transpose(STORED[orientation])


def draw_jpegs(small):
    small.save(path("formats", "baseline.jpg"), quality=85, subsampling=0)
    small.save(path("formats", "progressive.jpg"), quality=85, subsampling=0, progressive=True)
    small.convert("L").save(path("formats", "grey.jpg"), quality=90)
    small.convert("CMYK").save(path("formats", "cmyk.jpg"), quality=90)
    for n in STORED:
        stored(small, n).save(path("formats", f"orientation{n}.jpg"), quality=85, subsampling=0,
                              exif=exif(n))


def draw_pngs(small, alpha):
    rgb = np.asarray(small)
    grey = np.asarray(small.convert("L"))
    wide = lambda a: a.astype(np.uint16) * 257
    small.save(path("formats", "rgb8.png"))
    Image.fromarray(grey).save(path("formats", "grey8.png"))
    cv2.imwrite(path("formats", "rgb16.png"), wide(rgb[:, :, ::-1]))
    cv2.imwrite(path("formats", "grey16.png"), wide(grey))
    small.quantize(256).save(path("formats", "palette.png"))
    small.quantize(16).save(path("formats", "palette4.png"), bits=4)
    small.convert("1").save(path("formats", "bilevel.png"))
    with_alpha(small, alpha).save(path("formats", "alpha.png"))
    grey_alpha = Image.fromarray(grey).convert("LA")
    grey_alpha.putalpha(Image.fromarray(alpha))
    grey_alpha.save(path("formats", "grey-alpha.png"))
    stored(small, 6).save(path("formats", "orientation6.png"), exif=exif(6)[6:])
    with open(path("formats", "interlaced.png"), "wb") as file:
        file.write(interlaced_png(rgb))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data, interlace=0):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) +
            chunk(b"IEND", b""))


def interlaced_png(rgb):
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2),
              (1, 2, 0, 1)]
    data = b"".join(b"\0" + row.tobytes() for y, dy, x, dx in passes for row in rgb[y::dy, x::dx])
    return png(rgb.shape[1], rgb.shape[0], data, 1)


def with_alpha(small, alpha):
    picture = small.convert("RGBA")
    picture.putalpha(Image.fromarray(alpha))
    return picture


def draw_others(small, alpha):
    small.save(path("formats", "lossy.webp"), quality=95)
    small.save(path("formats", "lossless.webp"), lossless=True)
    with_alpha(small, alpha).save(path("formats", "alpha.webp"), lossless=True, exact=True)
    stored(small, 6).save(path("formats", "orientation6.webp"), lossless=True, exif=exif(6))
    small.save(path("formats", "animated.webp"), lossless=True, save_all=True, duration=50,
               append_images=[Image.new("RGB", small.size, "red")])
    small.save(path("formats", "lzw.tif"), compression="tiff_lzw")
    small.convert("L").save(path("formats", "grey.tif"))
    small.quantize(256).save(path("formats", "palette.tif"), compression="tiff_lzw")
    with_alpha(small, alpha).save(path("formats", "alpha.tif"), compression="tiff_lzw")
    stored(small, 8).save(path("formats", "orientation8.tif"), tiffinfo={274: 8})
    cv2.imwrite(path("formats", "rgb16.tif"),
                np.asarray(small)[:, :, ::-1].astype(np.uint16) * 257)
    small.save(path("formats", "rgb24.bmp"))
    small.quantize(256).save(path("formats", "palette.bmp"))
    small.quantize(256).save(path("formats", "palette.gif"))
    small.quantize(256).save(path("formats", "animated.gif"), save_all=True, duration=50,
                             append_images=[Image.new("RGB", small.size, "red")])
    transparent = small.quantize(255)
    pixels = np.asarray(transparent).copy()
    pixels[alpha < 128] = 255
    holes = Image.fromarray(pixels)
    holes.putpalette((transparent.getpalette() + [0] * 768)[:768])
    holes.save(path("formats", "transparent.gif"), transparency=255, optimize=False)
    small.save(path("formats", "rgb.ppm"))
    small.convert("L").save(path("formats", "grey.pgm"))
    small.convert("1").save(path("formats", "bilevel.pbm"))


def draw_bad(small):
    def write(name, data):
        with open(path("bad", name), "wb") as file:
            file.write(data)
    read = lambda *parts: open(path(*parts), "rb").read()
    whole = read("formats", "baseline.jpg")
    write("truncated.jpg", whole[:len(whole) * 6 // 10])
    whole = read("formats", "rgb8.png")
    write("truncated.png", whole[:len(whole) * 6 // 10])
    write("empty.jpg", b"")
    write("text.jpg", "This is a note, not a picture – whatever its name says.\n".encode())
    write("bomb.png", png(60000, 60000, bytes(2_000_000)))
    write("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08mdat")
    write("document.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n")
    write("clip.mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + b"\0\0\0\x08mdat")
    Image.new("L", (64, 64), 255).save(path("bad", "blank.png"))
    Image.new("RGB", (1, 1), (200, 30, 60)).save(path("bad", "one.png"))


def main():
    scenes = draw_pictures()
    draw_copies(scenes)
    small = scenes[0].resize((96, 64), Image.LANCZOS)
    ramp = np.linspace(0, 255, 96).astype(np.uint8)
    alpha = np.tile(ramp, (64, 1))
    draw_jpegs(small)
    draw_pngs(small, alpha)
    draw_others(small, alpha)
    draw_bad(small)


if __name__ == "__main__":
    main()
