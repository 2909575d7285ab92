"""Records what PyTorch's optimizers do to a small network, for runtime/tests/optim_peers.rs.

Run:  python optimizers.py > optimizers.json      (PyTorch 2.x, CPU, double precision)

The network is linear(3, 4) -> tanh -> linear(4, 2) under the mean squared error, on eight fixed
examples. Weights are written as Burn keeps them, [in, out].
"""

import json

import torch

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

print(
    json.dumps(
        {
            "torch": torch.__version__,
            "x": x.flatten().tolist(),
            "y": y.flatten().tolist(),
            "start": shown([torch.nn.Parameter(tensor) for tensor in start]),
            "cases": cases,
        },
        indent=None,
        separators=(",", ":"),
    )
)
