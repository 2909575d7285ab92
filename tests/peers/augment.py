"""Records what torchvision makes of images, for runtime/tests/data_augment.rs.

Run: python tests/peers/augment.py  (PyTorch 2.x, torchvision 0.2x, CPU); it writes augment.json beside itself.
"""

import json
import pathlib

import torch
import torchvision
from torchvision.transforms import InterpolationMode, RandomErasing, functional

torch.manual_seed(5)
IMAGE = (torch.rand(2, 6, 9) * 1000).round().div(1000)


def shown(tensor):
    numbers = [float(f"{number:.9g}") for number in tensor.flatten().tolist()]
    return {"shape": list(tensor.shape), "data": numbers}


def rotated(image, degrees):
    return functional.rotate(image, degrees, InterpolationMode.BILINEAR)


rotations = []
for degrees in (0.0, 10.0, -25.5, 45.0, 90.0, 137.0, 180.0, 720.0):
    constant = rotated(IMAGE, degrees)
    # In a frame of its reflection, wide enough that no corner of the turned image leaves it.
    frame = rotated(functional.pad(IMAGE, [5], padding_mode="reflect"), degrees)
    rotations.append(
        {
            "degrees": degrees,
            "constant": shown(constant),
            "reflect": shown(frame[:, 5:-5, 5:-5]),
        }
    )

# How RandomErasing draws: the mean and the variance of height and width, and the share of images left alone.
erasing = []
for size, area, aspect in (
    ((32, 32), (0.02, 0.4), (0.3, 1 / 0.3)),
    ((20, 40), (0.1, 0.9), (0.2, 2.0)),
):
    image, draws = torch.zeros(1, *size), 50_000
    params = [RandomErasing.get_params(image, area, aspect, [0.0]) for _ in range(draws)]
    erased = torch.tensor([p[:4] for p in params if p[4] is not image and p[2:4] != size], dtype=torch.float64)
    erasing.append(
        {
            "size": size,
            "area": area,
            "aspect": aspect,
            "draws": draws,
            "erased": len(erased),
            # Of row, column, height and width.
            "mean": erased.mean(0).tolist(),
            "deviation": erased.std(0).tolist(),
        }
    )

record = {
    "torchvision": torchvision.__version__,
    "image": shown(IMAGE),
    "padded": {
        "constant": shown(functional.pad(IMAGE, [3], fill=0.25)),
        "reflect": shown(functional.pad(IMAGE, [3], padding_mode="reflect")),
    },
    "rotations": rotations,
    "erasing": erasing,
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(record) + "\n")
