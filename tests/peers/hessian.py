"""Records products with the Hessian by PyTorch's double backward, for tests/tests/hessian.rs.

Run: python tests/peers/hessian.py  (PyTorch 2.x, CPU, double precision); it writes hessian.json beside itself.

The networks are those of models/, with Kiln's names and layouts of parameters: a dense weight is
[inputs, outputs]. No weight is recorded: both sides make each with the same generator, from its name. Of each
parameter's part of the product 16 numbers are kept, evenly apart, and its length.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional

torch.set_default_dtype(torch.float64)
BATCH = 4
CASES = {}


class Generator:
    """Knuth's linear congruential generator."""

    def __init__(self, name):
        self.state = 17
        for byte in name.encode():
            self.state = (self.state * 31 + byte) % 2**64

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def uniform(self, low, high):
        return low + (high - low) * self.next() / 2**31


def uniform(name, shape, low, high):
    generator = Generator(name)
    return torch.tensor([generator.uniform(low, high) for _ in range(math.prod(shape))]).reshape(shape)


def integers(name, shape, below):
    generator = Generator(name)
    return torch.tensor([generator.next() % below for _ in range(math.prod(shape))]).reshape(shape)


class Net:
    """The parameters by their paths, each made when it is first asked for, and the layers that need some."""

    def __init__(self, by_batch):
        self.parameters = {}
        self.by_batch = by_batch

    def __call__(self, path, *shape):
        if path not in self.parameters:
            bound = 0.5 if len(shape) == 1 else 1.5 / math.sqrt(math.prod(shape) / shape[0])
            low, high = (0.5, 1.5) if path.endswith("gamma") else (-bound, bound)
            self.parameters[path] = uniform(path, shape, low, high).requires_grad_()
        return self.parameters[path]

    def linear(self, path, x, outputs, bias=True):
        y = x @ self(f"{path}.weight", x.shape[-1], outputs)
        return y + self(f"{path}.bias", outputs) if bias else y

    def conv(self, path, x, outputs, kernel, stride=1, padding=0, bias=True):
        weight = self(f"{path}.weight", outputs, x.shape[1], kernel, kernel)
        return functional.conv2d(x, weight, self(f"{path}.bias", outputs) if bias else None, stride, padding)

    def batch_norm(self, path, x):
        channels, axes = x.shape[1], [0, *range(2, x.dim())]
        shape = [1, channels] + [1] * (x.dim() - 2)
        if self.by_batch:
            mean, variance = x.mean(axes), x.var(axes, unbiased=False)
        else:
            mean = uniform(f"{path}.running_mean", [channels], -0.5, 0.5)
            variance = uniform(f"{path}.running_var", [channels], 0.5, 1.5)
        normal = (x - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt()
        return normal * self(f"{path}.gamma", channels).view(shape) + self(f"{path}.beta", channels).view(shape)

    def layer_norm(self, path, x, bias=True, epsilon=1e-5):
        width = x.shape[-1]
        beta = self(f"{path}.beta", width) if bias else None
        return functional.layer_norm(x, [width], self(f"{path}.gamma", width), beta, epsilon)

    def attention(self, path, x, heads, causal=False, bias=True):
        batch, length, dim = x.shape
        x = x @ self(f"{path}.in_proj_weight", 3 * dim, dim).T
        if bias:
            x = x + self(f"{path}.in_proj_bias", 3 * dim)
        parts = x.reshape(batch, length, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        scores = parts[0] @ parts[1].transpose(-1, -2) / math.sqrt(dim // heads)
        if causal:
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -math.inf)
        x = (scores.softmax(-1) @ parts[2]).transpose(1, 2).reshape(batch, length, dim)
        return self.linear(f"{path}.out_proj", x, dim, bias)

    def lstm(self, path, x, hidden, layers):
        sequence = list(x.unbind(1))
        for layer in range(layers):
            inputs = sequence[0].shape[-1]
            w = self(f"{path}.weight_ih_l{layer}", 4 * hidden, inputs)
            u = self(f"{path}.weight_hh_l{layer}", 4 * hidden, hidden)
            b = self(f"{path}.bias_ih_l{layer}", 4 * hidden) + self(f"{path}.bias_hh_l{layer}", 4 * hidden)
            h = c = torch.zeros(x.shape[0], hidden)
            for step, x_t in enumerate(sequence):
                i, f, g, o = (x_t @ w.T + h @ u.T + b).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                sequence[step] = h
        return torch.stack(sequence, 1)


def record(name, forward, x, classes, places=(), by_batch=False):
    net = Net(by_batch)
    target = integers("target", [BATCH, *places], classes)
    loss = functional.cross_entropy(forward(net, x).reshape(-1, classes), target.flatten())
    parameters = list(net.parameters.values())
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    direction = [uniform(f"{path}/v", p.shape, -1.0, 1.0) for path, p in net.parameters.items()]
    slope = sum((g * v).sum() for g, v in zip(gradients, direction))
    products = torch.autograd.grad(slope, parameters)

    def shown(product):
        flat = product.flatten()
        kept = [*flat[:: -(-len(flat) // 16)].tolist(), flat.norm().item()]
        return [float(f"{number:.9g}") for number in kept]

    CASES[name] = {path: shown(product) for path, product in sorted(zip(net.parameters, products))}


def images(channels, size):
    return uniform("input", [BATCH, channels, size, size], -1.0, 1.0)


def mlp(net, x):
    x = net.linear("hidden.1", x.flatten(1), 16).relu()
    return net.linear("scores", net.linear("hidden.3", x, 12).relu(), 10)


def lenet(net, x):
    x = functional.avg_pool2d(net.conv("c1", x, 6, 5, padding=2).tanh(), 2)
    x = functional.avg_pool2d(net.conv("c3", x, 16, 5).tanh(), 2).flatten(1)
    x = net.linear("f6", net.linear("c5", x, 120).tanh(), 84).tanh()
    return net.linear("scores", x, 10)


def cnn(net, x):
    x = functional.max_pool2d(net.conv("features.0", x, 16, 3, padding=1).relu(), 2)
    x = functional.max_pool2d(net.conv("features.3", x, 32, 3, padding=1).relu(), 2)
    return net.linear("scores.3", net.linear("scores.1", x.flatten(1), 16).relu(), 10)


def cifar_resnet(blocks):
    def forward(net, x):
        x = net.batch_norm("bn1", net.conv("conv1", x, 4, 3, padding=1, bias=False)).relu()
        for stage, width in enumerate([4, 8, 16]):
            for block in range(blocks):
                path, first = f"layer{stage + 1}.{block}", stage > 0 and block == 0
                y = net.conv(f"{path}.conv1", x, width, 3, 1 + first, 1, bias=False)
                y = net.batch_norm(f"{path}.bn1", y).relu()
                y = net.batch_norm(f"{path}.bn2", net.conv(f"{path}.conv2", y, width, 3, 1, 1, bias=False))
                if first:
                    x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, width // 2))
                x = (x + y).relu()
        return net.linear("linear", x.mean([2, 3]), 10)

    return forward


def resnet18(net, x):
    x = net.batch_norm("bn1", net.conv("conv1", x, 2, 7, 2, 3, bias=False)).relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, width in enumerate([2, 4, 8, 16]):
        for block in range(2):
            path, stride = f"layer{stage + 1}.{block}", 2 if stage > 0 and block == 0 else 1
            y = net.conv(f"{path}.conv1", x, width, 3, stride, 1, bias=False)
            y = net.batch_norm(f"{path}.bn1", y).relu()
            y = net.batch_norm(f"{path}.bn2", net.conv(f"{path}.conv2", y, width, 3, 1, 1, bias=False))
            if stride == 2:
                x = net.conv(f"{path}.downsample.0", x, width, 1, 2, bias=False)
                x = net.batch_norm(f"{path}.downsample.1", x)
            x = (x + y).relu()
    return net.linear("fc", x.mean([2, 3]), 5)


def wide_resnet(net, x):
    x = net.conv("conv1", x, 16, 3, padding=1, bias=False)
    for stage, width in enumerate([16, 32, 64]):
        path, stride = f"block{stage + 1}", 2 if stage > 0 else 1
        x = net.batch_norm(f"{path}.0", x).relu()
        y = net.batch_norm(f"{path}.2.1", net.conv(f"{path}.2.0", x, width, 3, stride, 1, bias=False)).relu()
        y = net.conv(f"{path}.2.4", y, width, 3, 1, 1, bias=False)
        x = y + net.conv(f"{path}.2.shortcut", x, width, 1, stride, bias=False)
    return net.linear("fc", net.batch_norm("bn", x).relu().mean([2, 3]), 10)


def vgg16(net, x):
    at = 0
    for stage, depth in enumerate([2, 2, 3, 3, 3]):
        for _ in range(depth):
            x = net.conv(f"features.{at}", x, [2, 4, 8, 16, 16][stage], 3, padding=1).relu()
            at += 2
        x = functional.max_pool2d(x, 2)
        at += 1
    x = net.linear("classifier.0", x.flatten(1), 8).relu()
    return net.linear("classifier.6", net.linear("classifier.3", x, 8).relu(), 5)


def keskar_f(net, x):
    for layer in range(2):
        path = f"scores.0.{layer}"
        x = net.batch_norm(f"{path}.1", net.linear(f"{path}.0", x, 8)).relu()
    return net.linear("scores.1", x, 10)


def lstm_classifier(net, tokens):
    x = net("embedding.weight", 11, 6)[tokens]
    return net.linear("head", net.lstm("lstm", x, 5, 2)[:, -1], 2)


def char_transformer(net, tokens):
    x = net("wte.weight", 11, 8)[tokens] + net("wpe.weight", 8, 8)[: tokens.shape[1]]
    for layer in range(2):
        path = f"h.{layer}"
        x = x + net.attention(f"{path}.attn", net.layer_norm(f"{path}.ln_1", x, False), 2, True, False)
        y = net.linear(f"{path}.c_fc", net.layer_norm(f"{path}.ln_2", x, False), 32, False)
        x = x + net.linear(f"{path}.c_proj", functional.gelu(y), 8, False)
    return net.linear("lm_head", net.layer_norm("ln_f", x, False), 11, False)


def vit(net, x):
    x = net.conv("conv_proj", x, 8, 4, 4).flatten(2).transpose(1, 2)
    x = torch.cat([net("class_token.weight", 1, 1, 8).expand(BATCH, 1, 8), x], 1)
    x = x + net("encoder.pos_embedding.weight", x.shape[1], 8)
    for layer in range(2):
        path = f"encoder.layers.{layer}"
        x = x + net.attention(f"{path}.self_attention", net.layer_norm(f"{path}.ln_1", x, epsilon=1e-6), 2)
        y = net.linear(f"{path}.mlp.0", net.layer_norm(f"{path}.ln_2", x, epsilon=1e-6), 12)
        x = x + net.linear(f"{path}.mlp.3", functional.gelu(y), 8)
    return net.linear("heads.head", net.layer_norm("encoder.ln", x, epsilon=1e-6)[:, 0], 5)


record("mlp", mlp, images(1, 6), 10)
record("lenet", lenet, images(1, 12), 10)
record("cnn", cnn, images(1, 8), 10)
record("cifar_resnet", cifar_resnet(2), images(3, 8), 10)
record("cifar_resnet_by_batch", cifar_resnet(1), images(3, 8), 10, by_batch=True)
record("resnet18", resnet18, images(3, 32), 5)
record("wide_resnet", wide_resnet, images(3, 8), 10)
record("vgg16", vgg16, images(3, 32), 5)
record("keskar_f", keskar_f, images(3, 2).reshape(BATCH, 12), 10)
record("keskar_f_by_batch", keskar_f, images(3, 2).reshape(BATCH, 12), 10, by_batch=True)
record("lstm_classifier", lstm_classifier, integers("input", [BATCH, 7], 11), 2)
record("char_transformer", char_transformer, integers("input", [BATCH, 6], 11), 11, places=[6])
record("vit", vit, images(3, 8), 5)
OUT = pathlib.Path(__file__).with_suffix(".json")
OUT.write_text(json.dumps(CASES, separators=(",", ":"), sort_keys=True).replace('},"', '},\n"') + "\n")
