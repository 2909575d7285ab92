"""Records what PyTorch's layers and losses give, for tests/tests/layers.rs.

Run: python tests/peers/layers.py  (PyTorch 2.x, CPU, single precision); it writes layers.json beside itself.

A case holds an input, the parameters, the output, and the gradients of sum(output * probe) with respect to
the input and to every parameter; for a loss the output is the loss and its gradient the one of the loss
itself. Parameters have Burn's names and layout: a dense weight is [in, out], a norm has gamma and beta.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(20)
torch.use_deterministic_algorithms(True)
CASES = {}


def rounded(*shape, scale=1.0):
    """Random numbers of few digits, so that both sides begin with the same ones and the file is small."""
    return (torch.randn(*shape) * scale * 1000).round().div(1000)


def shown(tensor):
    numbers = [float(f"{number:.9g}") for number in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": numbers}


def named(module):
    """Burn's name of each parameter and how it is laid out there."""
    dense = isinstance(module, nn.Linear)
    norm = isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d, nn.LayerNorm))
    for name, parameter in module.named_parameters():
        name = {"weight": "gamma", "bias": "beta"}[name] if norm else name
        yield name, parameter, (lambda t: t.T.contiguous()) if dense and name == "weight" else (lambda t: t)


def filled(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(rounded(*parameter.shape, scale=0.5))
    return module


def running_variance(x, module, before):
    """The running variance as Burn defines it, from the variance that divides by n.

    PyTorch normalizes with that variance too, but takes the one that divides by n - 1 into the running
    variance. Checked here against PyTorch, with its n - 1 turned into n.
    """
    if not module.training:
        return module.running_var
    n = x.numel() // x.shape[1]
    kept = (1 - module.momentum) * torch.tensor(before["running_var"]["data"])
    dims = [dim for dim in range(x.dim()) if dim != 1]
    ours = kept + module.momentum * x.detach().var(dims, correction=0)
    torch.testing.assert_close(ours, kept + (module.running_var - kept) * (n - 1) / n)
    return ours


def forward_case(name, run, x, module=None, inference=False):
    """`run` is a function of the input; `module` holds its parameters, if it has any."""
    x = x.clone().requires_grad_()
    parameters = list(named(module)) if module is not None else []
    before = {key: shown(layout(parameter)) for key, parameter, layout in parameters}
    buffers = {}
    if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
        before["running_mean"] = shown(module.running_mean)
        before["running_var"] = shown(module.running_var)
    output = run(x)
    if "running_mean" in before:
        buffers = {"running_mean": shown(module.running_mean), "running_var": shown(running_variance(x, module, before))}
    probe = rounded(*output.shape)
    (output * probe).sum().backward()
    CASES[name] = {
        "input": shown(x),
        "parameters": before,
        "output": shown(output),
        "probe": shown(probe),
        "input_gradient": shown(x.grad),
        "gradients": {key: shown(layout(parameter.grad)) for key, parameter, layout in parameters},
        "buffers": buffers,
        "inference": inference,
    }


def module_case(name, module, *shape, scale=1.0):
    filled(module)
    forward_case(name, module, rounded(*shape, scale=scale), module)


# Dense layers, on one row and on the last dimension of a matrix.
module_case("linear", nn.Linear(5, 4), 3, 5)
module_case("linear_no_bias", nn.Linear(5, 4, bias=False), 3, 5)
module_case("linear_on_rows", nn.Linear(5, 3), 2, 3, 5)


# Convolutions: batch 2, height and width that differ.
def conv(name, inputs, outputs, kernel, height, width, **arguments):
    module_case(name, nn.Conv2d(inputs, outputs, kernel, **arguments), 2, inputs, height, width)


conv("conv2d", 2, 3, 3, 5, 6)
conv("conv2d_strided", 2, 3, 3, 7, 6, stride=2, padding=1)
conv("conv2d_strides_differ", 1, 2, (3, 2), 7, 6, stride=(3, 2), padding=(2, 0))
conv("conv2d_dilated", 2, 2, 3, 7, 8, dilation=2, padding=1)
conv("conv2d_dilations_differ", 1, 2, (2, 3), 6, 9, dilation=(3, 2))
conv("conv2d_groups", 4, 6, 3, 5, 4, groups=2, padding=1)
conv("conv2d_depthwise", 3, 3, 3, 5, 4, groups=3, padding=1)
conv("conv2d_no_bias", 2, 3, 3, 4, 5, bias=False)
conv("conv2d_same", 2, 2, 3, 4, 5, padding="same")
conv("conv2d_same_even", 2, 2, (2, 4), 5, 6, padding="same")
conv("conv2d_same_dilated", 1, 2, (3, 2), 6, 5, padding="same", dilation=(2, 3))
conv("conv2d_pointwise", 3, 4, 1, 3, 4)
conv("conv2d_strided_remainder", 1, 2, 2, 6, 7, stride=3)


# Pooling.
def pool(name, module, *shape):
    forward_case(name, module, rounded(*shape))


pool("max_pool2d", nn.MaxPool2d(2), 2, 2, 4, 6)
pool("max_pool2d_overlapping", nn.MaxPool2d(3, stride=2, padding=1), 2, 2, 6, 5)
pool("max_pool2d_sides_differ", nn.MaxPool2d((2, 3), stride=(1, 2), padding=(0, 1)), 2, 1, 5, 6)
pool("avg_pool2d", nn.AvgPool2d(2), 2, 2, 4, 6)
pool("avg_pool2d_padded", nn.AvgPool2d(3, stride=2, padding=1), 2, 2, 6, 5)
pool("avg_pool2d_padding_left_out", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), 2, 2, 6, 5)
pool("global_avg_pool", lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1), 2, 3, 3, 4)


# Norms. Running statistics that are not 0 and 1.
def batch_norm(name, module, *shape, training=True):
    filled(module)
    with torch.no_grad():
        module.running_mean.copy_(rounded(*module.running_mean.shape))
        module.running_var.copy_(rounded(*module.running_var.shape).abs() + 0.5)
    module.train(training)
    forward_case(name, module, rounded(*shape, scale=2.0) + 0.5, module, not training)


batch_norm("batch_norm", nn.BatchNorm2d(3), 3, 3, 2, 4)
batch_norm("batch_norm_settings", nn.BatchNorm2d(2, eps=0.01, momentum=0.3), 2, 2, 3, 2)
batch_norm("batch_norm_on_features", nn.BatchNorm1d(4), 5, 4)
batch_norm("batch_norm_inference", nn.BatchNorm2d(3), 2, 3, 2, 3, training=False)
module_case("layer_norm", nn.LayerNorm(6), 3, 6)
module_case("layer_norm_settings", nn.LayerNorm(4, eps=0.01, bias=False), 2, 3, 4)


# Element by element; also where a function is flat or steep.
def pointwise(name, run):
    x = rounded(2, 2, 3, 2, scale=3.0)
    x.view(-1)[:6] = torch.tensor([0.0, -0.0, 12.0, -12.0, 0.001, -0.001])
    forward_case(name, run, x)


pointwise("relu", functional.relu)
pointwise("gelu", functional.gelu)
pointwise("tanh", torch.tanh)
pointwise("sigmoid", torch.sigmoid)
pointwise("softmax", lambda x: functional.softmax(x, -1))
forward_case("softmax_of_scores", lambda x: functional.softmax(x, -1), rounded(3, 5, scale=10.0))
forward_case("flatten", lambda x: x.flatten(1), rounded(2, 2, 3, 2))
forward_case("dropout_inference", nn.Dropout(0.5).eval(), rounded(3, 5), inference=True)


# Losses, at the end of a dense layer.
def loss_case(name, loss, target, scale=1.0):
    module = filled(nn.Linear(3, 4))
    x = rounded(5, 3, scale=scale).requires_grad_()
    parameters = list(named(module))
    before = {key: shown(layout(parameter)) for key, parameter, layout in parameters}
    value = loss(module(x), target)
    value.backward()
    CASES[name] = {
        "input": shown(x),
        "parameters": before,
        "target": {"shape": list(target.shape), "data": target.flatten().tolist()},
        "output": shown(value.reshape(1)),
        "input_gradient": shown(x.grad),
        "gradients": {key: shown(layout(parameter.grad)) for key, parameter, layout in parameters},
    }


classes = torch.tensor([0, 3, 1, 1, 2])
loss_case("cross_entropy", functional.cross_entropy, classes)
loss_case("cross_entropy_far_off", functional.cross_entropy, classes, scale=30.0)
loss_case(
    "cross_entropy_smoothed", lambda y, t: functional.cross_entropy(y, t, label_smoothing=0.1), classes
)
loss_case(
    "cross_entropy_smoothed_much", lambda y, t: functional.cross_entropy(y, t, label_smoothing=0.6), classes
)
loss_case("mse", functional.mse_loss, rounded(5, 4))

out = pathlib.Path(__file__).with_suffix(".json")
cases = ",\n".join(f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in CASES.items())
out.write_text(f'{{"torch": {json.dumps(torch.__version__)},\n"cases": {{\n{cases}\n}}}}\n')
print(f"{len(CASES)} cases, {out.stat().st_size} bytes")
