"""PyTorch's side of the program `bench`: answers its lines until there are no more.

Started as `python3 -c SCRIPT BATCH IMAGES THREADS`. `time CASE N` runs a case N times and tells
the milliseconds of each; `memory CASE N` tells how much memory that took.
"""

import json
import math
import platform
import sys
import time


def reply(answer):
    print(json.dumps(answer), flush=True)


try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from torch.utils.data import DataLoader, TensorDataset
except ImportError as error:
    reply({"error": str(error)})
    sys.exit()

BATCH, IMAGES, THREADS = (int(number) for number in sys.argv[1:4])
RATE = 1e-3
VOCABULARY, LENGTH, WIDTH, HEADS, BLOCKS = 65, 128, 128, 4, 4


class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Flatten(),
            nn.Linear(784, 512),
            nn.ReLU(),
            nn.Linear(512, 256),
            nn.ReLU(),
            nn.Linear(256, 10),
        )


class Cnn(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )


def conv_norm(channels_in, channels_out, kernel, stride):
    return nn.Sequential(
        nn.Conv2d(
            channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False
        ),
        nn.BatchNorm2d(channels_out),
    )


class ResidualBlock(nn.Module):
    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        self.conv1 = conv_norm(channels_in, channels_out, 3, stride)
        self.conv2 = conv_norm(channels_out, channels_out, 3, 1)
        same = channels_in == channels_out
        self.shortcut = (
            nn.Identity() if same else conv_norm(channels_in, channels_out, 1, stride)
        )

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class ResNet20(nn.Sequential):
    """He et al. 2016, section 4.2, with their option B as the shortcut."""

    def __init__(self):
        stages = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        blocks = []
        for channels_in, channels_out, stride in stages:
            blocks.append(ResidualBlock(channels_in, channels_out, stride))
            blocks += [ResidualBlock(channels_out, channels_out, 1) for _ in range(2)]
        super().__init__(
            conv_norm(3, 16, 3, 1),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )


class AttentionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.gelu = nn.GELU()

    def attend(self, x):
        batch, length, width = x.shape
        x = self.queries_keys_values(x).view(batch, length, 3, HEADS, width // HEADS)
        queries, keys, values = x.permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.mix(x.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.narrow(self.gelu(self.widen(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(AttentionBlock() for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, characters):
        positions = torch.arange(characters.shape[1])
        x = self.characters(characters) + self.positions(positions)
        return self.head(self.norm(self.blocks(x))).flatten(0, 1)


def classes(count, number):
    return torch.arange(count) % number


def network(name):
    """A network, a batch, its labels and its optimizer."""
    if name == "transformer":
        batch = max(BATCH // 8, 1)
        model = Transformer()
        inputs = classes(batch * LENGTH, VOCABULARY).view(batch, LENGTH)
        labels = classes(batch * LENGTH, VOCABULARY)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
        return model, inputs, labels, optimizer
    model, shape = {
        "mlp": (Mlp, (1, 28, 28)),
        "cnn": (Cnn, (1, 28, 28)),
        "resnet20": (ResNet20, (3, 32, 32)),
    }[name]
    model = model()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    return model, torch.rand(BATCH, *shape), classes(BATCH, 10), optimizer


def since(start):
    return (time.perf_counter() - start) * 1e3


def step(name):
    model, inputs, labels, optimizer = network(name)

    def repetition():
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise ArithmeticError(f"the loss is {loss.item()}")
        return since(start)

    return repetition


def infer(name):
    model, inputs, _, _ = network(name)
    model.eval()

    def repetition():
        with torch.inference_mode():
            start = time.perf_counter()
            model(inputs)
            return since(start)

    return repetition


def optimizer(name):
    model, _, _, optimizer = network(name)
    for parameter in model.parameters():
        parameter.grad = parameter.detach() * 1e-3

    def repetition():
        start = time.perf_counter()
        optimizer.step()
        return since(start)

    return repetition


def loader():
    dataset = TensorDataset(torch.rand(IMAGES, 1, 28, 28), classes(IMAGES, 10))
    batches = DataLoader(dataset, BATCH, shuffle=True, drop_last=True, num_workers=0)

    def repetition():
        start = time.perf_counter()
        for _ in batches:
            pass
        return since(start)

    return repetition


def prepare(case):
    if case == "loader":
        return loader()
    name, what = case.rsplit("_", 1)
    return {"step": step, "infer": infer, "optimizer": optimizer}[what](name)


def status(key):
    """A line of /proc/self/status, in KiB."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


def memory(case, count):
    repetition = prepare(case)
    before = status("VmRSS:")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    for _ in range(count):
        repetition()
    return {"before_kib": before, "peak_kib": status("VmHWM:")}


def main():
    torch.set_num_threads(THREADS)
    version = f"PyTorch {torch.__version__}, Python {platform.python_version()}"
    reply({"version": version, "threads": str(torch.get_num_threads())})
    prepared = {}
    for line in sys.stdin:
        try:
            verb, case, count = line.split()
            if verb == "memory":
                reply(memory(case, int(count)))
                continue
            if case not in prepared:
                prepared[case] = prepare(case)
            reply({"ms": [prepared[case]() for _ in range(int(count))]})
        except Exception as error:
            reply({"error": f"{type(error).__name__}: {error}"})


main()
