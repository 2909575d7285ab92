"""Records what PyTorch's layers of images, signals and shapes give, for tests/tests/layers_images.rs.

Run: python tests/peers/images.py  (PyTorch 2.x, CPU, single precision); it writes images.json beside itself.

A case holds an input, the parameters, the output, and the gradients of sum(output * probe) with respect to
the input and to every parameter. Parameters have PyTorch's names and layout, which are Burn's here.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(21)
torch.use_deterministic_algorithms(True)
CASES = {}


def rounded(*shape, scale=1.0):
    """Random numbers of few digits, so that both sides begin with the same ones and the file is small."""
    return (torch.randn(*shape) * scale * 1000).round().div(1000)


def shown(tensor):
    numbers = [float(f"{number:.9g}") for number in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": numbers}


def case(name, layer, *shape):
    """`layer` is a module or a function of the input; `shape` is that of a batch of two."""
    parameters = dict(layer.named_parameters()) if isinstance(layer, nn.Module) else {}
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.copy_(rounded(*parameter.shape, scale=0.5))
    x = rounded(2, *shape).requires_grad_()
    output = layer(x)
    probe = rounded(*output.shape)
    (output * probe).sum().backward()
    CASES[name] = {
        "input": shown(x),
        "parameters": {key: shown(parameter) for key, parameter in parameters.items()},
        "output": shown(output),
        "probe": shown(probe),
        "input_gradient": shown(x.grad),
        "gradients": {key: shown(parameter.grad) for key, parameter in parameters.items()},
        "buffers": {},
        "inference": False,
    }


# Convolutions of signals and of volumes.
case("conv1d", nn.Conv1d(2, 3, 3), 2, 7)
case("conv1d_strided", nn.Conv1d(2, 3, 4, stride=3, padding=2), 2, 9)
case("conv1d_dilated", nn.Conv1d(2, 2, 3, dilation=2, padding=1), 2, 8)
case("conv1d_groups", nn.Conv1d(4, 6, 3, groups=2, padding=1), 4, 5)
case("conv1d_depthwise", nn.Conv1d(3, 3, 2, groups=3), 3, 6)
case("conv1d_no_bias", nn.Conv1d(2, 3, 3, bias=False), 2, 5)
case("conv1d_same", nn.Conv1d(2, 2, 3, padding="same"), 2, 5)
case("conv1d_same_even", nn.Conv1d(2, 2, 4, padding="same", dilation=3), 2, 6)
case("conv1d_before_relu", nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU()), 2, 7)
case("conv3d", nn.Conv3d(2, 3, 2), 2, 3, 4, 3)
case("conv3d_strided", nn.Conv3d(2, 2, 3, stride=2, padding=1), 2, 4, 5, 3)
case("conv3d_sides_differ", nn.Conv3d(1, 2, (1, 2, 3), stride=(2, 1, 2), padding=(0, 1, 2)), 1, 3, 4, 4)
case("conv3d_dilated", nn.Conv3d(1, 2, 2, dilation=(1, 2, 3), padding=1), 1, 3, 4, 3)
case("conv3d_groups", nn.Conv3d(4, 2, 2, groups=2, bias=False), 4, 3, 2, 3)
case("conv3d_same", nn.Conv3d(1, 2, (3, 1, 3), padding="same"), 1, 3, 2, 4)
case("conv3d_same_dilated", nn.Conv3d(1, 1, (2, 3, 1), padding="same", dilation=2), 1, 3, 4, 2)

# Transposed convolutions.
case("conv_transpose1d", nn.ConvTranspose1d(2, 3, 3), 2, 4)
case("conv_transpose1d_strided", nn.ConvTranspose1d(2, 3, 4, stride=3, padding=2, output_padding=1), 2, 5)
case("conv_transpose1d_dilated", nn.ConvTranspose1d(2, 2, 3, dilation=3, padding=1, output_padding=2), 2, 4)
case("conv_transpose1d_groups", nn.ConvTranspose1d(4, 6, 3, groups=2, stride=2, bias=False), 4, 3)
case("conv_transpose1d_kernel_below_stride", nn.ConvTranspose1d(1, 2, 2, stride=4, output_padding=3), 1, 3)
case("conv_transpose2d", nn.ConvTranspose2d(2, 3, 3), 2, 3, 4)
case("conv_transpose2d_doubles", nn.ConvTranspose2d(2, 3, 2, stride=2), 2, 3, 4)
case("conv_transpose2d_strided", nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1), 2, 3, 4)
case(
    "conv_transpose2d_sides_differ",
    nn.ConvTranspose2d(1, 2, (2, 4), stride=(3, 2), padding=(0, 1), output_padding=(2, 0), dilation=(1, 2)),
    1, 3, 2,
)
case("conv_transpose2d_groups", nn.ConvTranspose2d(4, 2, 3, groups=2, padding=1), 4, 3, 2)
case("conv_transpose2d_no_bias", nn.ConvTranspose2d(2, 3, 2, bias=False), 2, 3, 3)
case("conv_transpose3d", nn.ConvTranspose3d(2, 1, 2), 2, 2, 3, 2)
case(
    "conv_transpose3d_settings",
    nn.ConvTranspose3d(
        2, 4, (1, 2, 3), stride=(2, 1, 2), padding=(0, 1, 1), output_padding=(1, 1, 0), dilation=(1, 2, 1), groups=2
    ),
    2, 2, 2, 2,
)

# Pooling.
case("max_pool1d", nn.MaxPool1d(2), 2, 7)
case("max_pool1d_overlapping", nn.MaxPool1d(3, stride=2, padding=1), 2, 6)
case("max_pool1d_dilated", nn.MaxPool1d(3, stride=1, dilation=2), 2, 8)
case("max_pool1d_ceil", nn.MaxPool1d(2, ceil_mode=True), 2, 7)
case("max_pool1d_ceil_padded", nn.MaxPool1d(2, stride=3, padding=1, ceil_mode=True), 2, 7)
case("max_pool2d_dilated", nn.MaxPool2d(2, stride=1, dilation=(1, 2)), 2, 4, 5)
case("max_pool2d_ceil", nn.MaxPool2d(3, stride=2, ceil_mode=True), 2, 6, 5)
case("max_pool2d_ceil_padded", nn.MaxPool2d((2, 3), stride=(3, 2), padding=(1, 1), ceil_mode=True), 1, 7, 6)
case("avg_pool1d", nn.AvgPool1d(2), 2, 7)
case("avg_pool1d_padded", nn.AvgPool1d(3, stride=2, padding=1), 2, 6)
case("avg_pool1d_padding_left_out", nn.AvgPool1d(3, stride=2, padding=1, count_include_pad=False), 2, 6)
case("avg_pool1d_ceil", nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True), 2, 6)
case("avg_pool2d_ceil", nn.AvgPool2d(3, stride=2, ceil_mode=True), 2, 6, 5)
case("avg_pool2d_ceil_padded", nn.AvgPool2d(2, stride=(3, 2), padding=1, ceil_mode=True), 1, 7, 5)
case(
    "avg_pool2d_ceil_left_out",
    nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    1, 6, 4,
)
case("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d(3), 2, 7)
case("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d(2), 2, 4, 6)
case("adaptive_avg_pool2d_uneven", nn.AdaptiveAvgPool2d((3, 5)), 2, 5, 3)
case("adaptive_avg_pool3d", nn.AdaptiveAvgPool3d((2, 1, 3)), 1, 3, 2, 5)
case("adaptive_max_pool1d", nn.AdaptiveMaxPool1d(3), 2, 7)
case("adaptive_max_pool2d", nn.AdaptiveMaxPool2d(2), 2, 4, 6)
case("adaptive_max_pool2d_uneven", nn.AdaptiveMaxPool2d((3, 5)), 2, 5, 3)
case("adaptive_max_pool3d", nn.AdaptiveMaxPool3d((2, 1, 3)), 1, 3, 2, 5)
case("global_avg_pool_of_signals", lambda x: x.mean(2), 3, 5)
case("global_avg_pool_of_volumes", lambda x: x.mean((2, 3, 4)), 3, 2, 3, 2)
case("global_max_pool", lambda x: functional.adaptive_max_pool2d(x, 1).flatten(1), 3, 3, 4)
case("global_max_pool_of_signals", lambda x: functional.adaptive_max_pool1d(x, 1).flatten(1), 3, 5)

# Padding.
case("pad_signals", lambda x: functional.pad(x, (2, 1)), 2, 3)
case("pad_images", lambda x: functional.pad(x, (1, 0, 2, 3), value=-1.5), 2, 3, 2)
case("pad_channels", lambda x: functional.pad(x, (0, 1, 0, 0, 2, 1)), 2, 3, 2)
case("pad_reflect", lambda x: functional.pad(x, (2, 1), mode="reflect"), 2, 4)
case("pad_reflect_images", lambda x: functional.pad(x, (1, 2, 2, 0), mode="reflect"), 2, 3, 4)
case("pad_replicate", lambda x: functional.pad(x, (4, 1), mode="replicate"), 2, 3)
case("pad_replicate_images", lambda x: functional.pad(x, (1, 2, 3, 0), mode="replicate"), 2, 3, 2)
case("pad_circular", lambda x: functional.pad(x, (3, 1), mode="circular"), 2, 3)
case("pad_circular_images", lambda x: functional.pad(x, (1, 2, 0, 3), mode="circular"), 2, 3, 4)


# Interpolation: `scale` where PyTorch and Kiln agree on it, which is for whole numbers.
def interpolate(name, *shape, **arguments):
    case(f"interpolate_{name}", lambda x: functional.interpolate(x, **arguments), *shape)


interpolate("signals", 2, 4, scale_factor=2)
interpolate("images", 2, 2, 3, scale_factor=(3, 2))
interpolate("images_to_size", 2, 5, 4, size=(3, 7))
interpolate("volumes", 1, 2, 3, 2, size=(3, 2, 4))
interpolate("linear", 2, 4, size=7, mode="linear")
interpolate("linear_down", 2, 7, size=3, mode="linear")
interpolate("linear_corners", 2, 4, size=7, mode="linear", align_corners=True)
interpolate("linear_to_one", 2, 4, size=1, mode="linear", align_corners=True)
interpolate("bilinear", 2, 3, 4, scale_factor=2, mode="bilinear")
interpolate("bilinear_to_size", 2, 5, 4, size=(3, 7), mode="bilinear")
interpolate("bilinear_corners", 2, 3, 4, size=(5, 2), mode="bilinear", align_corners=True)
interpolate("trilinear", 1, 2, 3, 2, size=(3, 2, 4), mode="trilinear")
interpolate("bicubic", 2, 3, 4, scale_factor=2, mode="bicubic")
interpolate("bicubic_down", 1, 7, 6, size=(3, 4), mode="bicubic")
interpolate("bicubic_corners", 1, 4, 3, size=(7, 5), mode="bicubic", align_corners=True)

# Shapes.
case("pixel_shuffle", nn.PixelShuffle(2), 8, 2, 3)
case("pixel_unshuffle", nn.PixelUnshuffle(3), 2, 3, 6)
case("unfold2d", nn.Unfold(2), 2, 3, 4)
case("unfold2d_settings", nn.Unfold((2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1)), 2, 4, 5)
case("reshape", lambda x: x.reshape(2, 3, 8), 4, 6)
case("reshape_to_more", lambda x: x.reshape(2, 2, 3, 2), 12)
case("reshape_the_rest", lambda x: x.reshape(2, 3, 8), 2, 4, 3)
case("permute", lambda x: x.permute(0, 3, 1, 2), 2, 3, 4)
case("mean", lambda x: x.mean(1), 3, 4)
case("mean_of_last", lambda x: x.mean(-1), 2, 3, 4)
case("sum", lambda x: x.sum(2), 2, 3, 4)
case("max", lambda x: x.max(2).values, 2, 3, 4)
case("max_of_first", lambda x: x.max(1).values, 3, 4)
case("select", lambda x: x.select(1, 2), 3, 4)
case("select_last", lambda x: x.select(2, -1), 2, 3, 4)
case("identity", nn.Identity(), 2, 3)

out = pathlib.Path(__file__).with_suffix(".json")
cases = ",\n".join(f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in CASES.items())
out.write_text(f'{{"torch": {json.dumps(torch.__version__)},\n"cases": {{\n{cases}\n}}}}\n')
print(f"{len(CASES)} cases, {out.stat().st_size} bytes")
