"""Records what stands beside an update rule: SAM, ASAM, lookahead, averages, a switch of optimizers.

Run:  python steps.py > steps.json      (PyTorch 2.x, timm, CPU, double precision)

Two networks on fixed examples, under the mean squared error: linear(3, 4) -> tanh -> linear(4, 2) on
eight, and one with batch normalisation on sixteen, four at a time. Weights are written as Burn keeps
them, [in, out]. Each case holds the recipe as `kiln::optim::Recipe` reads it.

- SAM is the rule of https://github.com/davda54/sam (sam.py: `first_step`, `second_step`).
- ASAM is that of https://github.com/SamsungLabs/ASAM (asam.py: `ascent_step`, `descent_step`).
- Lookahead is that of the paper, Zhang et al. 2019, algorithm 1, whose slow weights begin at the
  initial ones. timm's begin at the fast ones of the first synchronisation, so its first does nothing.
The rules of these three are written out below after those sources, a few lines each, since none is a package;
the rest is the packages' own code.

- The exponential average is timm's ModelEmaV2; SWA and the measuring of its running statistics are
  torch.optim.swa_utils.
"""

import json

import timm
import torch
from timm.utils import ModelEmaV2
from torch.optim.swa_utils import AveragedModel, update_bn

STEPS = [1, 10, 50]


def tensors(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]
    # The numbers go into the file in single precision, so that both sides begin with the same ones.
    return [(tensor * 0.5).float().double() for tensor in drawn]


def sgd(momentum=0.0, weight_decay=0.0, lr=1.0, targets=()):
    fields = {"momentum": momentum, "nesterov": False, "weight_decay": weight_decay}
    return {"update": {"sgd": fields}, "lr": lr, "targets": list(targets)}


def adam(lr=1.0, targets=()):
    fields = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0}
    return {"update": {"adam": fields}, "lr": lr, "targets": list(targets)}


def recipe(*rules, clip=None, sharpness=None, average=(), switches=()):
    return {
        "rules": list(rules),
        "clip": None if clip is None else {"global_norm": {"max_norm": clip}},
        "noise": None,
        "sharpness": sharpness,
        "average": list(average),
        "switches": list(switches),
    }


def optimizer(rules, weights, biases, lr):
    """PyTorch's, of one rule for all or of one for the weights and one for the biases."""
    groups = [weights + biases] if len(rules) == 1 else [weights, biases]
    made = []
    for rule, group in zip(rules, groups):
        (name, fields), lr_of_rule = next(iter(rule["update"].items())), lr * rule["lr"]
        if name == "sgd":
            arguments = {key: fields[key] for key in ("momentum", "nesterov", "weight_decay")}
            made.append(torch.optim.SGD(group, lr=lr_of_rule, **arguments))
        else:
            betas = (fields["beta_1"], fields["beta_2"])
            made.append(torch.optim.Adam(group, lr=lr_of_rule, betas=betas, eps=fields["epsilon"]))
    return made


def climb(named, sharpness):
    """Moves the parameters to the worst point near by; gives what they were."""
    old = [p.detach().clone() for _, p in named]
    (kind, fields) = next(iter(sharpness.items()))
    with torch.no_grad():
        if kind == "sam":
            norm = torch.norm(torch.stack([p.grad.norm(p=2) for _, p in named]), p=2)
            scale = fields["rho"] / (norm + 1e-12)
            for _, p in named:
                p.add_(p.grad * scale)
        else:
            sizes, norms = [], []
            for name, p in named:
                size = torch.ones_like(p)
                if "weight" in name:
                    size = p.abs().add(fields["eta"])
                    p.grad.mul_(size)
                sizes.append(size)
                norms.append(torch.norm(p.grad, p=2))
            norm = torch.norm(torch.stack(norms), p=2) + 1.0e-16
            for (name, p), size in zip(named, sizes):
                if "weight" in name:
                    p.grad.mul_(size)
                p.add_(p.grad * (fields["rho"] / norm))
    return old


def shown(named):
    flat = [(tensor.T if tensor.dim() == 2 else tensor) for _, tensor in named]
    return [tensor.detach().contiguous().flatten().tolist() for tensor in flat]


def plain_network():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), tensors(2, (4, 3), (4,), (2, 4), (2,))):
            parameter.copy_(value)
    return net


x, y = tensors(1, (8, 3), (8, 2))


def run(recipe, lr, pieces=1):
    net = plain_network()
    named = list(net.named_parameters())
    weights = [p for name, p in named if "weight" in name]
    biases = [p for name, p in named if "bias" in name]
    optimizers = optimizer(recipe["rules"], weights, biases, lr)
    kinds = {kind: fields for average in recipe["average"] for kind, fields in average.items()}
    lookahead, ema, swa = kinds.get("lookahead"), kinds.get("ema"), kinds.get("swa")
    slow = [p.detach().clone() for _, p in named]
    if ema is not None:
        averaged = ModelEmaV2(net, decay=ema["decay"])
    if swa is not None:
        averaged = AveragedModel(net)

    def backward():
        net.zero_grad()
        for inputs, targets in zip(x.chunk(pieces), y.chunk(pieces)):
            (((net(inputs) - targets) ** 2).mean() / pieces).backward()

    seen = {}
    for step in range(max(STEPS)):
        switches = [s["rule"] for s in recipe["switches"] if s["at"]["steps"] == step]
        if switches:
            optimizers = optimizer(switches, weights, biases, lr)
        backward()
        if recipe["sharpness"] is not None:
            old = climb(named, recipe["sharpness"])
            backward()
            with torch.no_grad():
                for (_, p), value in zip(named, old):
                    p.copy_(value)
        if recipe["clip"] is not None:
            bound = recipe["clip"]["global_norm"]["max_norm"]
            torch.nn.utils.clip_grad_norm_(net.parameters(), bound)
        for one in optimizers:
            one.step()
        done = step + 1
        if lookahead is not None and done % lookahead["k"] == 0:
            with torch.no_grad():
                for s, (_, p) in zip(slow, named):
                    s.add_(p - s, alpha=lookahead["alpha"])
                    p.copy_(s)
        if ema is not None:
            averaged.update(net)
        if swa is not None:
            start, every = swa["from"]["steps"], swa["every"]["steps"]
            if done >= start and (done - start) % every == 0:
                averaged.update_parameters(net)
        if done in STEPS:
            seen[str(done)] = shown(named)
    case = {"recipe": recipe, "lr": lr, "pieces": pieces, "weights": seen}
    if ema is not None or swa is not None:
        case["averaged"] = shown(averaged.module.named_parameters())
    return case


SAM = {"sam": {"rho": 0.05}}
FAR = {"sam": {"rho": 0.5}}
ASAM = {"asam": {"rho": 0.5, "eta": 0.01}}
LOOKAHEAD = {"lookahead": {"k": 5, "alpha": 0.5}}
EMA = {"ema": {"decay": 0.9}}
SWA = {"swa": {"from": {"steps": 20.0}, "every": {"steps": 7.0}}}
momentum = sgd(momentum=0.9)


def switch(at, rule):
    return {"at": {"steps": float(at)}, "rule": rule}


cases = [
    run(recipe(sgd(), sharpness=SAM), 0.1),
    run(recipe(momentum, sharpness=SAM), 0.1),
    run(recipe(momentum, sharpness=FAR), 0.1),
    run(recipe(momentum, sharpness=FAR, clip=0.2), 0.1),
    run(recipe(momentum, sharpness=FAR), 0.1, pieces=4),
    run(recipe(sgd(momentum=0.9, weight_decay=0.01), sharpness=FAR, clip=0.2), 0.1, pieces=4),
    run(recipe(adam(), sharpness=SAM), 0.01),
    run(recipe(momentum, sharpness=ASAM), 0.1),
    run(recipe(momentum, sharpness={"asam": {"rho": 1.0, "eta": 0.1}}, clip=0.2), 0.1, pieces=4),
    run(recipe(momentum, sharpness={"asam": {"rho": 0.2, "eta": 0.0}}), 0.1),
    run(recipe(momentum, average=[LOOKAHEAD]), 0.1),
    run(recipe(adam(), average=[{"lookahead": {"k": 3, "alpha": 0.8}}]), 0.01),
    run(recipe(momentum, average=[EMA]), 0.1),
    run(recipe(adam(), average=[{"ema": {"decay": 0.99}}]), 0.01),
    run(recipe(momentum, average=[SWA]), 0.1),
    run(recipe(adam(), switches=[switch(25, sgd(momentum=0.9, lr=10.0))]), 0.01),
    run(
        recipe(
            momentum,
            switches=[
                switch(10, adam(lr=0.1)),
                switch(30, sgd(momentum=0.5)),
                switch(30, sgd(lr=0.5, targets=["bias"])),
            ],
        ),
        0.1,
    ),
    run(
        recipe(
            momentum,
            clip=0.3,
            sharpness=FAR,
            average=[EMA, LOOKAHEAD],
            switches=[switch(40, sgd())],
        ),
        0.1,
        pieces=2,
    ),
]


class BatchNorm(torch.nn.BatchNorm1d):
    """Burn's running variance follows that of the batch, PyTorch's the unbiased estimate from it."""

    def forward(self, x):
        output = super().forward(x)
        if self.training:
            count = float(self.num_batches_tracked)
            share = 1 / count if self.momentum is None else self.momentum
            # In training the backward pass does not read it.
            self.running_var.data.sub_(share * x.detach().var(0) / len(x))
        return output


def normalised():
    """Averages of a network with running statistics, which `SWA` has to measure anew."""
    inputs, targets = tensors(3, (16, 3), (16, 2))
    inputs = (3 * inputs + 1).float().double()
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 4), BatchNorm(4), torch.nn.Tanh(), torch.nn.Linear(4, 2)
    ).double()
    with torch.no_grad():
        shapes = [(4, 3), (4,), (4,), (4,), (2, 4), (2,)]
        for parameter, value in zip(net.parameters(), tensors(4, *shapes)):
            parameter.copy_(value)
    start = shown(net.named_parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    ema, swa = ModelEmaV2(net, decay=0.9), AveragedModel(net)
    batches = list(zip(inputs.chunk(4), targets.chunk(4)))
    net.train()
    for step in range(20):
        images, wanted = batches[step % 4]
        optimizer.zero_grad()
        ((net(images) - wanted) ** 2).mean().backward()
        optimizer.step()
        ema.update(net)
        if step + 1 >= 8 and (step + 1 - 8) % 4 == 0:
            swa.update_parameters(net)
    update_bn(batches, swa)

    def statistics(network):
        norm = network[1]
        return [norm.running_mean.tolist(), norm.running_var.tolist()]

    return {
        "x": inputs.flatten().tolist(),
        "y": targets.flatten().tolist(),
        "start": start,
        "last": shown(net.named_parameters()) + statistics(net),
        "ema": shown(ema.module.named_parameters()) + statistics(ema.module),
        "swa": shown(swa.module.named_parameters()) + statistics(swa.module),
    }


print(
    json.dumps(
        {
            "torch": torch.__version__,
            "timm": timm.__version__,
            "x": x.flatten().tolist(),
            "y": y.flatten().tolist(),
            "start": shown(plain_network().named_parameters()),
            "cases": cases,
            "normalised": normalised(),
        },
        indent=None,
        separators=(",", ":"),
    )
)
