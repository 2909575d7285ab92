"""Records what PyTorch's norms, activations and losses give, for tests/tests/layers_points.rs.

Run: python tests/peers/points.py  (PyTorch 2.x, CPU, single precision); it writes points.json beside itself.

Cases are what they are in layers.py; but the parameters of a loss of two outputs have whole paths.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(21)
torch.use_deterministic_algorithms(True)
CASES = {}
NORMS = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.RMSNorm, nn.BatchNorm1d, nn.BatchNorm3d)


def rounded(*shape, scale=1.0):
    """Random numbers of few digits, so that both sides begin with the same ones and the file is small."""
    return (torch.randn(*shape) * scale * 1000).round().div(1000)


def shown(tensor):
    numbers = [float(f"{number:.9g}") for number in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": numbers}


def named(module):
    """Burn's name of each parameter and how it is laid out there."""
    for path, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            dense = isinstance(part, nn.Linear) and name == "weight"
            name = {"weight": "gamma", "bias": "beta"}[name] if isinstance(part, NORMS) else name
            path_of = f"{path}.{name}" if path else name
            yield path_of, parameter, (lambda t: t.T.contiguous()) if dense else (lambda t: t)


def filled(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(rounded(*parameter.shape, scale=0.5))
    return module


def values(module):
    return {key: shown(layout(parameter)) for key, parameter, layout in named(module)}


def gradients(module):
    return {key: shown(layout(parameter.grad)) for key, parameter, layout in named(module)}


def layer(name, run, x, module=None, inference=False):
    """`run` is a function of the input; `module` holds its parameters, if it has any."""
    module = nn.Identity() if module is None else module
    x = x.clone().requires_grad_()
    before, buffers = values(module), {}
    statistics = isinstance(module, (nn.BatchNorm1d, nn.BatchNorm3d))
    if statistics:
        before |= {key: shown(getattr(module, key)) for key in ("running_mean", "running_var")}
        # Burn follows the variance that divides by n, PyTorch the one that divides by n - 1.
        variance = x.detach().var([dim for dim in range(x.dim()) if dim != 1], correction=0)
        variance = (1 - module.momentum) * module.running_var + module.momentum * variance
    output = run(x)
    if statistics:
        buffers = {"running_mean": shown(module.running_mean), "running_var": shown(variance)}
    probe = rounded(*output.shape)
    (output * probe).sum().backward()
    CASES[name] = {
        "input": shown(x),
        "parameters": before,
        "output": shown(output),
        "probe": shown(probe),
        "input_gradient": shown(x.grad),
        "gradients": gradients(module),
        "buffers": buffers,
        "inference": inference,
    }


def norm(name, module, *shape):
    layer(name, module, rounded(*shape, scale=2.0) + 0.5, filled(module))


norm("group_norm", nn.GroupNorm(2, 4), 2, 4, 3, 2)
norm("group_norm_settings", nn.GroupNorm(3, 6, eps=0.01, affine=False), 2, 6, 5)
norm("group_norm_on_features", nn.GroupNorm(2, 6), 3, 6)
norm("group_norm_on_volumes", nn.GroupNorm(1, 2), 2, 2, 2, 3, 2)
norm("group_norm_of_one_example", nn.GroupNorm(1, 2), 1, 2)
norm("instance_norm", nn.InstanceNorm2d(3), 2, 3, 3, 2)
norm("instance_norm_settings", nn.InstanceNorm1d(3, eps=0.01, affine=True), 2, 3, 5)
norm("rms_norm", nn.RMSNorm(6), 3, 6)
norm("rms_norm_settings", nn.RMSNorm(4, eps=0.01), 2, 3, 4)
norm("rms_norm_of_small", nn.RMSNorm(4, eps=1e-6), 2, 4)
norm("batch_norm_on_features", nn.BatchNorm1d(4), 5, 4)
norm("batch_norm_on_sequences", nn.BatchNorm1d(3), 3, 3, 4)
norm("batch_norm_on_volumes", nn.BatchNorm3d(2), 2, 2, 3, 2, 2)
norm("local_response_norm", nn.LocalResponseNorm(3), 2, 5, 3)
norm("local_response_norm_even", nn.LocalResponseNorm(4, alpha=0.5, beta=0.6, k=2.0), 2, 5, 2, 3)
norm("local_response_norm_wide", nn.LocalResponseNorm(9, alpha=0.1), 2, 3, 2, 2)


def activation(name, run, *kinks, module=None):
    """Also at 0, near the kinks, and where an exponential overflows."""
    x = rounded(2, 2, 4, 3, scale=3.0)
    special = [0.0, -0.0, 0.001, -0.001, 12.0, -12.0, 100.0, -100.0]
    special += [kink + step for kink in kinks for step in (-0.001, 0.001)]
    x.view(-1)[: len(special)] = torch.tensor(special)
    # Not in the order above, or channels would differ in kind.
    x = x.view(-1)[torch.randperm(48)].view(2, 2, 4, 3)
    layer(name, run, x, module)


def prelu(name, parameters):
    module = filled(nn.PReLU(parameters))
    activation(name, module, module=module)


activation("celu", functional.celu)
activation("celu_settings", lambda x: functional.celu(x, alpha=0.5))
activation("elu", functional.elu)
activation("elu_settings", lambda x: functional.elu(x, alpha=0.5))
activation("gelu_tanh", lambda x: functional.gelu(x, approximate="tanh"))
activation("glu", lambda x: functional.glu(x.transpose(2, 3), -1).transpose(2, 3))
activation("hardshrink", functional.hardshrink, 0.5, -0.5)
activation("hardshrink_settings", lambda x: functional.hardshrink(x, 2.0), 2.0, -2.0)
activation("hardsigmoid", functional.hardsigmoid, 3.0, -3.0)
activation("hardswish", functional.hardswish, 3.0, -3.0)
activation("hardtanh", functional.hardtanh, 1.0, -1.0)
activation("hardtanh_settings", lambda x: functional.hardtanh(x, -0.5, 2.0), -0.5, 2.0)
activation("leaky_relu", functional.leaky_relu)
activation("leaky_relu_settings", lambda x: functional.leaky_relu(x, 0.2))
activation("log_softmax", lambda x: functional.log_softmax(x, -1))
activation("logsigmoid", functional.logsigmoid)
activation("mish", functional.mish)
prelu("prelu", 1)
prelu("prelu_of_channels", 2)
activation("relu6", functional.relu6, 6.0)
activation("rrelu_inference", functional.rrelu)
activation("rrelu_inference_settings", lambda x: functional.rrelu(x, 0.1, 0.2))
activation("selu", functional.selu)
activation("silu", functional.silu)
activation("softmin", lambda x: functional.softmin(x, -1))
activation("softplus", functional.softplus, 20.0)
activation("softplus_settings", lambda x: functional.softplus(x, beta=2.0, threshold=3.0), 1.5)
activation("softshrink", functional.softshrink, 0.5, -0.5)
activation("softshrink_settings", lambda x: functional.softshrink(x, 2.0), 2.0, -2.0)
activation("softsign", functional.softsign)
activation("tanhshrink", functional.tanhshrink)
activation("threshold", lambda x: functional.threshold(x, 0.5, -2.0), 0.5)
activation("thresholded_relu", lambda x: functional.threshold(x, 1.0, 0.0), 1.0)
activation("thresholded_relu_settings", lambda x: functional.threshold(x, 0.3, 0.0), 0.3)
layer("glu_of_features", lambda x: functional.glu(x, -1), rounded(3, 6))
for case in ("rrelu_inference", "rrelu_inference_settings"):
    CASES[case]["inference"] = True


class SwiGlu(nn.Module):
    """silu(x W + b) * (x V + c) (Shazeer 2020), with Burn's names."""

    def __init__(self, inputs, outputs, bias):
        super().__init__()
        self.linear_inner = nn.Linear(inputs, outputs, bias)
        self.linear_outer = nn.Linear(inputs, outputs, bias)

    def forward(self, x):
        return functional.silu(self.linear_inner(x)) * self.linear_outer(x)


for name, bias in (("swiglu", False), ("swiglu_with_bias", True)):
    module = filled(SwiGlu(4, 3, bias))
    layer(name, module, rounded(2, 3, 4), module)


def loss(name, criterion, target, shape, scale=1.0, last=None, paths=("y",), untrained=False):
    """`criterion` is a function of what the networks at `paths` give, and of the target."""
    dense = {path: nn.Linear(shape[-1], 4) for path in paths}
    parts = {path: part if last is None else nn.Sequential(part, last) for path, part in dense.items()}
    # The path of the only layer is implied.
    module = filled(nn.ModuleDict(parts) if len(parts) > 1 else parts["y"])
    if untrained:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)
    x = rounded(*shape, scale=scale).requires_grad_()
    before = values(module)
    value = criterion(*[part(x) for part in parts.values()], target)
    value.backward()
    integers = not target.is_floating_point()
    CASES[name] = {
        "input": shown(x),
        "parameters": before,
        "target": {"shape": list(target.shape), "data": target.flatten().tolist()} if integers else shown(target),
        "output": shown(value.reshape(1)),
        "input_gradient": shown(x.grad),
        "gradients": gradients(module),
        "whole_paths": len(parts) > 1,
    }


def classes_last(criterion):
    """PyTorch has the classes in the second dimension."""
    return lambda y, t: criterion(y.flatten(0, -2), t.flatten())


FLAT = (5, 3)
classes = torch.tensor([0, 3, 1, 1, 2])
rows = torch.tensor([[0, 3, 1], [1, 2, 2]])
signs = torch.tensor([[1.0, -1.0, -1.0, 1.0]] * 3 + [[-1.0, 1.0, 1.0, -1.0]] * 2)
shares = torch.rand(5, 4).mul(100).round().div(100)
shares[0, 0], shares[1, 1] = 0.0, 1.0
sure = (shares > 0.5).float()
counts = torch.tensor([[0.0, 1.0, 2.0, 5.0], [3.0, 0.0, 1.0, 12.0], [2.0, 2.0, 0.5, 1.0], [7.0, 0, 0, 1], [1, 2, 3, 4]])
parts = torch.softmax(rounded(5, 4), -1).mul(1000).round().div(1000)
parts[0] = torch.tensor([0.0, 1.0, 0.0, 0.0])
sigmoid, log_softmax = nn.Sigmoid(), nn.LogSoftmax(-1)
F = functional

loss("cross_entropy_of_rows", classes_last(F.cross_entropy), rows, (2, 3, 3))
loss("cross_entropy_of_rows_smoothed", classes_last(lambda y, t: F.cross_entropy(y, t, label_smoothing=0.2)), rows, (2, 3, 3))
loss("binary_cross_entropy", F.binary_cross_entropy, shares, FLAT, last=sigmoid)
loss("binary_cross_entropy_far_off", F.binary_cross_entropy, sure, FLAT, scale=60.0, last=sigmoid)
loss("binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits, shares, FLAT)
loss("binary_cross_entropy_with_logits_far_off", F.binary_cross_entropy_with_logits, sure, FLAT, scale=300.0)
loss("l1", F.l1_loss, rounded(5, 4), FLAT)
loss("huber", F.huber_loss, rounded(5, 4, scale=2.0), FLAT)
loss("huber_settings", lambda y, t: F.huber_loss(y, t, delta=0.3), rounded(5, 4), FLAT)
loss("smooth_l1", F.smooth_l1_loss, rounded(5, 4, scale=2.0), FLAT)
loss("smooth_l1_settings", lambda y, t: F.smooth_l1_loss(y, t, beta=0.3), rounded(5, 4), FLAT)
loss("kl_divergence", lambda y, t: F.kl_div(y, t, reduction="batchmean"), parts, FLAT, last=log_softmax)
loss("poisson_nll", F.poisson_nll_loss, counts, FLAT)
loss("poisson_nll_full", lambda y, t: F.poisson_nll_loss(y, t, full=True), counts, FLAT)
loss(
    "poisson_nll_of_counts",
    lambda y, t: F.poisson_nll_loss(y, t, log_input=False, eps=1e-3),
    counts, FLAT, last=nn.Softplus(),
)
loss("soft_margin", F.soft_margin_loss, signs, FLAT)
loss("soft_margin_far_off", F.soft_margin_loss, signs, FLAT, scale=20.0)
loss("multi_margin", F.multi_margin_loss, classes, FLAT)
loss("multi_margin_settings", lambda y, t: F.multi_margin_loss(y, t, p=2, margin=0.4), classes, FLAT)
loss("multi_margin_of_rows", classes_last(F.multi_margin_loss), rows, (2, 3, 3))
loss("hinge_embedding", F.hinge_embedding_loss, signs, FLAT)
loss("hinge_embedding_settings", lambda y, t: F.hinge_embedding_loss(y, t, margin=0.3), signs, FLAT)
alike = torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0])
pair = ("left", "right")
loss("cosine_embedding", F.cosine_embedding_loss, alike, FLAT, paths=pair)
loss("cosine_embedding_settings", lambda a, b, t: F.cosine_embedding_loss(a, b, t, margin=0.2), alike, FLAT, paths=pair)
loss("margin_ranking", F.margin_ranking_loss, signs, FLAT, paths=pair)
loss("margin_ranking_settings", lambda a, b, t: F.margin_ranking_loss(a, b, t, margin=0.4), signs, FLAT, paths=pair)
normal, positive = ("mean", "variance"), nn.Softplus()
density = F.gaussian_nll_loss
loss("gaussian_nll", lambda m, v, t: density(m, t, v), rounded(5, 4), FLAT, last=positive, paths=normal)
loss(
    "gaussian_nll_settings",
    lambda m, v, t: density(m, t, v, full=True, eps=0.6),
    rounded(5, 4), FLAT, last=positive, paths=normal,
)


def ctc(y, target):
    """PyTorch's outputs are [length, batch, classes]."""
    lengths = torch.full((y.shape[0],), y.shape[1])
    return F.ctc_loss(y.transpose(0, 1), target, lengths, (target > 0).sum(1))


spelled = torch.tensor([[1, 2, 2], [3, 0, 0], [0, 0, 0], [2, 1, 2]])
loss("ctc", ctc, spelled, (4, 6, 3), last=log_softmax)
# Farther off PyTorch's own gradient is inaccurate: with scale 30 by 2e-4 against double precision.
loss("ctc_far_off", ctc, spelled, (4, 6, 3), scale=5.0, last=log_softmax)
loss("ctc_tight", ctc, spelled, (4, 4, 3), last=log_softmax)
# Many ways are equally probable where the output tells no classes apart.
loss("ctc_untrained", ctc, spelled, (4, 6, 3), last=log_softmax, untrained=True)

out = pathlib.Path(__file__).with_suffix(".json")
cases = ",\n".join(f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in CASES.items())
out.write_text(f'{{"torch": {json.dumps(torch.__version__)},\n"cases": {{\n{cases}\n}}}}\n')
print(f"{len(CASES)} cases, {out.stat().st_size} bytes")
