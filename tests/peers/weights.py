"""Saves networks as PyTorch users save them, with an input and what PyTorch gives for it, for tests/tests/weights.rs.

Run: python tests/peers/weights.py  (PyTorch 2.x, CPU, single precision); it writes the folder weights beside itself.

The ResNet-18 is torchvision's with its names, sixteen times narrower. Files in safetensors are written out
here: eight bytes of length, a header in JSON, and the numbers.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(22)
OUT = pathlib.Path(__file__).with_name("weights")
OUT.mkdir(exist_ok=True)
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def save_safetensors(state, name):
    header, numbers = {"__metadata__": {"format": "pt"}}, b""
    for key, tensor in state.items():
        # All numbers are little-endian here, as in the format.
        raw = bytes(tensor.detach().contiguous().flatten().view(torch.uint8).tolist()) if tensor.dim() else (
            int(tensor).to_bytes(8, "little")
        )
        header[key] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(numbers), len(numbers) + len(raw)],
        }
        numbers += raw
    header = json.dumps(header, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    (OUT / name).write_bytes(len(header).to_bytes(8, "little") + header + numbers)


def rounded(*shape):
    """Random numbers of few digits, so that the file is small."""
    return (torch.randn(*shape) * 1000).round().div(1000)


def shown(tensor):
    numbers = [float(f"{number:.8g}") for number in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": numbers}


def record(name, model, *inputs):
    """The state dict twice, and what the model gives in inference."""
    model.eval()
    torch.save(model.state_dict(), OUT / f"{name}.pt")
    save_safetensors(model.state_dict(), f"{name}.safetensors")
    with torch.no_grad():
        output = model(*inputs)
    case = {"inputs": [shown(x) for x in inputs], "output": shown(output)}
    (OUT / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


def seen(model, *shape):
    """Running statistics and parameters of norms that are not those of the beginning."""
    model.train()
    for _ in range(3):
        model(torch.randn(*shape) + 0.3)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return model


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = width
        for index in range(4):
            outputs = width << index
            blocks = [BasicBlock(inputs, outputs, 1 if index == 0 else 2), BasicBlock(outputs, outputs, 1)]
            setattr(self, f"layer{index + 1}", nn.Sequential(*blocks))
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


record("resnet18", seen(ResNet18(4, 10), 4, 3, 32, 32), rounded(2, 3, 32, 32))


class Encoder(nn.Module):
    """Token and position tables, two layers and a head."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(11, 16)
        self.positions = nn.Embedding(8, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16), enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        return self.head(self.encoder(x))


torch.backends.mha.set_fastpath_enabled(False)
encoder = Encoder()
with torch.no_grad():
    for parameter in encoder.parameters():
        parameter.uniform_(-0.4, 0.4)
record("encoder", encoder, torch.randint(0, 11, (3, 8)))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.bn = nn.BatchNorm2d(2)
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(self.norm(self.bn(self.conv(x)).flatten(1)))


small = seen(Small(), 4, 1, 4, 4)
record("small", small, rounded(2, 1, 4, 4))

# The same network, saved in other ways.
state = small.state_dict()
torch.save(state, OUT / "small_legacy.pt", _use_new_zipfile_serialization=False)
for name, dtype in [("half", torch.float16), ("brain", torch.bfloat16), ("double", torch.float64)]:
    other = {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    torch.save(other, OUT / f"small_{name}.pt")
    save_safetensors(other, f"small_{name}.safetensors")
wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
torch.save({"epoch": 3, "state_dict": wrapped, "losses": [0.5, 0.25]}, OUT / "small_checkpoint.pth")
views = {key: tensor.T.contiguous().T if tensor.dim() == 2 else tensor for key, tensor in state.items()}
torch.save(views, OUT / "small_views.bin")
integers = dict(state)
integers["fc.bias"] = torch.tensor([1, 2, 3])
torch.save(integers, OUT / "small_integers.pt")

# What holds no weights.
torch.save([1, 2, 3], OUT / "list.pt")
torch.save({"epoch": 3}, OUT / "numbers.pt")

print(sum(file.stat().st_size for file in OUT.iterdir()), "bytes in", OUT)
