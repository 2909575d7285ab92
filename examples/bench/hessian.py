"""PyTorch's and PyHessian's side of `hessian_bench`: a line of JSON in, a line of JSON out.

Needs torch and, for eigenvalues, traces and densities, pyhessian.
"""

import json
import sys
import time

import torch
from torch import nn

torch.set_num_threads(int(sys.argv[2]))
with open(sys.argv[1]) as file:
    case = json.load(file)


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def filled(network, tensors):
    parameters = list(network.parameters())
    assert len(parameters) == len(tensors)
    for parameter, tensor in zip(parameters, tensors):
        values = torch.tensor(tensor["values"]).reshape(tensor["shape"])
        parameter.data = values.t().contiguous() if values.dim() == 2 else values
    return network.eval()


networks = {"mlp": filled(mlp(), case["mlp"]), "cnn": filled(cnn(), case["cnn"])}
images = torch.tensor(case["images"]).reshape(-1, 1, 28, 28)
labels = torch.tensor(case["labels"])
criterion = nn.CrossEntropyLoss()


def direction(parameters):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(p.shape, generator=generator) for p in parameters]


def product(parameters, gradient, vector, keep=False):
    return torch.autograd.grad(gradient, parameters, grad_outputs=vector, retain_graph=keep)


def dot(xs, ys):
    return sum(float((x * y).sum(dtype=torch.float64)) for x, y in zip(xs, ys))


class Counted:
    """PyHessian, counting its products."""

    def __init__(self):
        import pyhessian

        # The package's own attribute of this name is the class.
        module = sys.modules["pyhessian.hessian"]

        # It calls `torch.eig`, which PyTorch no longer has; its matrix is symmetric.
        def eig(matrix, eigenvectors):
            values, vectors = torch.linalg.eigh(matrix)
            return torch.stack([values, torch.zeros_like(values)], 1), vectors

        torch.eig = eig
        self.products = 0
        original = getattr(module, "original", module.hessian_vector_product)
        module.original = original

        def counted(*arguments):
            self.products += 1
            return original(*arguments)

        module.hessian_vector_product = counted
        self.make = lambda: pyhessian.hessian(networks["cnn"], criterion, data=(images, labels), cuda=False)


def timed(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def answer(request):
    what, network = request["what"], networks[request.get("network", "cnn")]
    parameters = list(network.parameters())
    network.zero_grad()
    if what == "gradient":
        return {"seconds": timed(lambda: torch.autograd.grad(criterion(network(images), labels), parameters))[0]}
    if what == "product":
        vector = direction(parameters)

        def run():
            loss = criterion(network(images), labels)
            gradient = torch.autograd.grad(loss, parameters, create_graph=True)
            return product(parameters, gradient, vector)

        return {"seconds": timed(run)[0]}
    counted = Counted()
    if what == "pyhessian":
        return {}
    torch.manual_seed(request["seed"])
    if what == "eigenvalue":
        seconds, (values, vectors) = timed(lambda: counted.make().eigenvalues(maxIter=100, tol=1e-3))
        products = counted.products
        network.zero_grad()
        gradient = torch.autograd.grad(criterion(network(images), labels), parameters, create_graph=True)
        image = product(parameters, gradient, vectors[0])
        # Of the vector it returns, with the best value for it.
        value = dot(image, vectors[0]) / dot(vectors[0], vectors[0])
        rest = [h - value * v for h, v in zip(image, vectors[0])]
        residual = (dot(rest, rest) / dot(vectors[0], vectors[0])) ** 0.5
        return {"seconds": seconds, "products": products, "value": values[0], "residual": residual}
    if what == "trace":
        seconds, terms = timed(lambda: counted.make().trace(maxIter=request["probes"], tol=float("-inf")))
        terms = torch.tensor(terms, dtype=torch.float64)
        error = float(terms.std() / len(terms) ** 0.5)
        return {"seconds": seconds, "products": counted.products, "value": float(terms.mean()), "error": error}
    if what == "density":
        seconds, (values, _) = timed(lambda: counted.make().density(iter=request["steps"], n_v=1))
        return {"seconds": seconds, "products": counted.products, "value": float(max(values[0]))}
    return {"error": f"unknown request {what}"}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # the other side shows it
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
