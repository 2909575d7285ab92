"""Records what PyTorch's L-BFGS does to the network of optimizers.py, for runtime/tests/optim_lbfgs.rs.

Run:  python lbfgs.py > lbfgs.json      (PyTorch 2.x, CPU, double precision; reads optimizers.json)
"""

import json
import pathlib

import torch

STEPS = 10
# With the defaults and a line search the loss is at a plateau after that, where the numbers of two
# programs part: rounding decides how far a search goes.
BEFORE_PLATEAU = 3

record = json.loads((pathlib.Path(__file__).parent / "optimizers.json").read_text())


def tensor(values, *shape):
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


x, y = tensor(record["x"], 8, 3), tensor(record["y"], 8, 2)


def run(lr, count=STEPS, **arguments):
    start = zip(record["start"], [(3, 4), (4,), (4, 2), (2,)])
    # Burn's layout, [in, out], which changes nothing but the order of the vector.
    w1, b1, w2, b2 = parameters = [
        torch.nn.Parameter(tensor(values, *shape)) for values, shape in start
    ]
    optimizer = torch.optim.LBFGS(parameters, lr=lr, **arguments)
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        loss = ((torch.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2).mean()
        loss.backward()
        return loss

    steps = []
    for _ in range(count):
        loss = optimizer.step(closure).item()
        weights = [parameter.detach().flatten().tolist() for parameter in parameters]
        steps.append({"loss": loss, "weights": weights, "evaluations": evaluations})
    return {"lr": lr, "arguments": arguments, "steps": steps}


wolfe = {"line_search_fn": "strong_wolfe"}
cases = [
    run(0.1),
    run(0.1, max_iter=3, history_size=2),
    run(0.5, max_iter=4),
    run(1.0, BEFORE_PLATEAU, **wolfe),
    run(1.0, max_iter=4, **wolfe),
    run(1.0, max_iter=4, history_size=2, **wolfe),
    run(0.3, max_iter=8, **wolfe),
]
print(json.dumps({"torch": torch.__version__, "cases": cases}, separators=(",", ":")))
