"""Records what PyTorch's optimizers do to a small network, for runtime/tests/optim_peers.rs.

Run:  python optimizers.py > optimizers.json      (PyTorch 2.x, timm 1.x, CPU, double precision)

`declared` holds what declarations of that name in the test must do: rules of PyTorch and of timm.
The network is linear(3, 4) -> tanh -> linear(4, 2) under the mean squared error, on eight fixed
examples. Weights are written as Burn keeps them, [in, out].
"""

import importlib.util
import inspect
import json
import os
import sys
import types

import torch
from torch.optim import _muon

# timm's optimizers alone: the whole of timm would need torchvision.
root = os.path.dirname(importlib.util.find_spec("timm").origin)
for name, path in (("timm", root), ("timm.optim", os.path.join(root, "optim"))):
    package = types.ModuleType(name)
    package.__path__ = [path]
    sys.modules[name] = package

from timm.optim.adan import Adan
from timm.optim.lamb import Lamb
from timm.optim.lars import Lars
from timm.optim.lion import Lion

# PyTorch's Muon iterates in bfloat16, whose numbers agree with nobody's to more than 1e-2. This is
# its own code in double precision.
iteration = inspect.getsource(_muon._zeropower_via_newtonschulz)
exec(iteration.replace("bfloat16", "float64"), vars(_muon))

STEPS = [1, 10, 50]


def tensors(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


x, y = tensors(1, (8, 3), (8, 2))
start = [tensor * 0.5 for tensor in tensors(2, (4, 3), (4,), (2, 4), (2,))]
# The numbers go into the file in single precision, so that both sides begin with the same ones.
x, y, *start = [tensor.float().double() for tensor in (x, y, *start)]


def shown(parameters):
    w1, b1, w2, b2 = [parameter.detach() for parameter in parameters]
    flat = [w1.T, b1, w2.T, b2]
    return [tensor.contiguous().flatten().tolist() for tensor in flat]


def run(rule, arguments, biases=None, max_norm=None, lr=0.1):
    """`biases`: the arguments of the group that holds the biases; None puts them with the rest."""
    parameters = [torch.nn.Parameter(tensor.clone()) for tensor in start]
    w1, b1, w2, b2 = parameters
    if biases is None:
        groups = parameters
    else:
        groups = [{"params": [w1, w2]}, {"params": [b1, b2], **biases}]
    optimizer = getattr(torch.optim, rule)(groups, lr=lr, **arguments)
    seen = {}
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        output = torch.tanh(x @ w1.T + b1) @ w2.T + b2
        ((output - y) ** 2).mean().backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        optimizer.step()
        if step in STEPS:
            seen[str(step)] = shown(parameters)
    return {
        "rule": rule.lower(),
        "arguments": arguments,
        "biases": biases,
        "max_norm": max_norm,
        "lr": lr,
        "weights": seen,
    }


def train(*groups, max_norm=None):
    """The weights after some steps of several optimizers, and the rate of the first.

    A group is the parameters ("all", "weights" or "biases"), the optimizer, and its arguments.
    """
    parameters = [torch.nn.Parameter(tensor.clone()) for tensor in start]
    w1, b1, w2, b2 = parameters
    named = {"all": parameters, "weights": [w1, w2], "biases": [b1, b2]}
    optimizers = [rule(named[which], **arguments) for which, rule, arguments in groups]
    seen = {}
    for step in range(1, max(STEPS) + 1):
        for parameter in parameters:
            parameter.grad = None
        output = torch.tanh(x @ w1.T + b1) @ w2.T + b2
        ((output - y) ** 2).mean().backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        for optimizer in optimizers:
            optimizer.step()
        if step in STEPS:
            seen[str(step)] = shown(parameters)
    return {"lr": groups[0][2]["lr"], **seen}


def alone(rule, max_norm=None, **arguments):
    return train(("all", rule, arguments), max_norm=max_norm)


momentum = {"momentum": 0.9}
nesterov = {"momentum": 0.9, "nesterov": True}
cases = [
    run("SGD", {}),
    run("SGD", {"weight_decay": 0.05}),
    run("SGD", momentum),
    run("SGD", nesterov),
    run("SGD", {**momentum, "weight_decay": 0.01}),
    run("SGD", {**nesterov, "weight_decay": 0.01}, lr=0.05),
    run("SGD", {**nesterov, "weight_decay": 0.05}, biases={"weight_decay": 0, "nesterov": False}),
    run("SGD", momentum, max_norm=0.3),
    run("SGD", {**nesterov, "weight_decay": 0.01}, biases={"weight_decay": 0}, max_norm=0.2),
    run("SGD", momentum, max_norm=100.0),
    run("Adam", {}, lr=0.01),
    run("Adam", {"betas": [0.8, 0.95], "eps": 1e-4}, lr=0.02),
    run("Adam", {"weight_decay": 0.1}, lr=0.01),
    # A beta_1 near 0 makes steps by sign, which oscillate: PyTorch's own single and double
    # precision then part by 3e-3 in 50 steps, so such a case would compare nothing.
    run("Adam", {"betas": [0.5, 0.99]}, lr=0.005, max_norm=0.1),
    run("AdamW", {}, lr=0.01),
    run("AdamW", {"betas": [0.9, 0.95], "eps": 1e-6, "weight_decay": 0.3}, lr=0.02),
    run("AdamW", {"weight_decay": 0.2}, biases={"weight_decay": 0}, lr=0.02),
    run("AdamW", {"weight_decay": 0.2}, biases={"weight_decay": 0}, lr=0.02, max_norm=0.05),
]

T = torch.optim
by_sgd = ("biases", T.SGD, {"lr": 0.05, "momentum": 0.9})
declared = {
    "AmsGrad": alone(T.Adam, lr=0.02, betas=(0.9, 0.8), amsgrad=True),
    "AmsGradW": alone(T.AdamW, lr=0.02, betas=(0.9, 0.8), amsgrad=True, weight_decay=0.1),
    "AdaGrad": alone(T.Adagrad, lr=0.05),
    "AdaGradAll": alone(T.Adagrad, lr=0.1, lr_decay=0.05, eps=1e-3, weight_decay=0.1),
    "RmsProp": alone(T.RMSprop, lr=0.01),
    "RmsPropMomentum": alone(
        T.RMSprop, lr=0.01, alpha=0.9, momentum=0.8, eps=1e-3, weight_decay=0.1
    ),
    "RmsPropCentered": alone(T.RMSprop, lr=0.005, alpha=0.9, centered=True, eps=1e-3),
    "Adafactor": alone(T.Adafactor, lr=0.02),
    "AdafactorAll": alone(
        T.Adafactor, lr=0.3, beta2_decay=-0.6, eps=(1e-15, 0.1), d=1.0, weight_decay=0.1
    ),
    "Adan": alone(Adan, lr=0.01),
    "AdanAll": alone(Adan, lr=0.02, betas=(0.9, 0.8, 0.95), eps=1e-4, weight_decay=0.1),
    "Lamb": alone(Lamb, lr=0.01, max_grad_norm=None),
    "LambClipped": alone(Lamb, lr=0.02, max_grad_norm=0.5, betas=(0.8, 0.95), weight_decay=0.1),
    "LambUndecayed": alone(
        Lamb, lr=0.01, max_grad_norm=None, eps=1e-4, weight_decay=0.0, always_adapt=True
    ),
    "Lion": alone(Lion, lr=0.003),
    "LionAll": alone(Lion, lr=0.005, betas=(0.8, 0.95), weight_decay=0.3),
    "Muon": train(("weights", T.Muon, {"lr": 0.02}), by_sgd),
    "MuonAll": train(
        (
            "weights",
            T.Muon,
            {
                "lr": 0.05,
                "momentum": 0.8,
                "nesterov": False,
                "weight_decay": 0.5,
                "ns_steps": 3,
                "adjust_lr_fn": "match_rms_adamw",
            },
        ),
        by_sgd,
    ),
    "TenTimes": train(
        ("weights", T.SGD, {"lr": 0.01, "momentum": 0.9}),
        ("biases", T.SGD, {"lr": 0.1, "momentum": 0.9}),
    ),
    "TenthOfAdam": train(
        ("weights", T.SGD, {"lr": 0.05}),
        ("biases", T.AdamW, {"lr": 0.005, "weight_decay": 0.1}),
    ),
    # timm adapts without decay only if it is told to.
    "LarsPlain": alone(Lars, lr=1.0, trust_coeff=0.02, always_adapt=True),
    "LarsMomentum": alone(Lars, lr=1.0, momentum=0.9, trust_coeff=0.01, weight_decay=0.01),
    "LarsNesterov": alone(
        Lars, lr=1.0, momentum=0.9, nesterov=True, trust_coeff=0.01, weight_decay=0.1
    ),
    "LarsUndecayed": alone(Lars, lr=5.0, momentum=0.9, trust_coeff=0.001, always_adapt=True),
    "Larc": alone(
        Lars, lr=0.02, momentum=0.8, trust_coeff=0.02, weight_decay=0.01, trust_clip=True
    ),
    "LarsOfWeights": train(
        ("weights", Lars, {"lr": 1.0, "momentum": 0.9, "trust_coeff": 0.01, "weight_decay": 0.05}),
        ("biases", T.SGD, {"lr": 0.1, "momentum": 0.9}),
    ),
    "SignSgd": alone(Lion, lr=0.003, betas=(0.0, 0.0)),
    "Signum": alone(Lion, lr=0.003, betas=(0.9, 0.9), weight_decay=0.1),
}

print(
    json.dumps(
        {
            "torch": torch.__version__,
            "x": x.flatten().tolist(),
            "y": y.flatten().tolist(),
            "start": shown([torch.nn.Parameter(tensor) for tensor in start]),
            "cases": cases,
            "declared": declared,
        },
        indent=None,
        separators=(",", ":"),
    )
)
