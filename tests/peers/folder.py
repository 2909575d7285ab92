"""Records how Pillow reads and resizes small images, for runtime/tests/data_folder.rs.

Run: python tests/peers/folder.py  (Pillow 1x, NumPy 2.x); it writes folder.json beside itself, with the files in it.
"""

import io
import json
import pathlib

import numpy
import PIL
from PIL import Image

rows, columns = numpy.mgrid[0:12, 0:16]
colours = numpy.stack([rows * 20, columns * 15, 128 + 60 * numpy.sin(rows / 2 + columns / 3)], 2).astype(numpy.uint8)
RGB = Image.fromarray(colours)
OPACITY = Image.fromarray(numpy.dstack([colours, numpy.full((12, 16), 7, numpy.uint8)]))


def case(image, name, channels, size=None, **settings):
    file = io.BytesIO()
    image.save(file, pathlib.Path(name).suffix[1:].replace("jpg", "jpeg"), **settings)
    # Opacity does not weigh the colours.
    read = Image.open(file).convert("RGB").convert({1: "L", 3: "RGB"}[channels])
    if size is not None:
        read = read.resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = numpy.asarray(read)
    pixels = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    return {
        "name": name,
        "file": file.getvalue().hex(),
        "shape": pixels.shape,
        "pixels": pixels.flatten().tolist(),
    }


record = {
    "pillow": PIL.__version__,
    "cases": [
        case(RGB, "colour.png", 3),
        case(RGB, "colour.png", 1),
        case(OPACITY, "opacity.png", 3),
        case(RGB.convert("L"), "grey.png", 1),
        case(RGB.convert("L"), "grey.png", 3),
        case(RGB, "colour.jpg", 3, quality=95, subsampling=0),
        case(RGB, "smaller.png", 3, (5, 7)),
        case(RGB, "larger.png", 1, (30, 20)),
    ],
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(record) + "\n")
