"""Records what PyTorch's layers of sequences give, for tests/tests/layers_sequences.rs.

Run: python tests/peers/sequences.py  (PyTorch 2.x, CPU, single precision); it writes sequences.json beside itself.

A case holds the input, and a memory if there is one, the parameters, the output, and the gradients of
sum(output * probe) with respect to the inputs and to every parameter. Parameters have PyTorch's
names, but that a norm has gamma and beta; a dense weight is [in, out]. Where PyTorch has no such layer, the
formula is written out here.
"""

import json
import math
import pathlib

import torch
from torch import nn

torch.manual_seed(21)
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
    for path, parameter in module.named_parameters():
        inside, _, name = path.rpartition(".")
        owner = module.get_submodule(inside)
        layout = lambda t: t
        if isinstance(owner, nn.LayerNorm):
            path = path.removesuffix(name) + {"weight": "gamma", "bias": "beta"}[name]
        elif isinstance(owner, nn.Linear) and name == "weight":
            layout = lambda t: t.T.contiguous()
        yield path, parameter, layout


def case(name, module, *inputs, run=None):
    """`run` is a function of the inputs, where it is not the module itself."""
    module.zero_grad()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(rounded(*parameter.shape, scale=0.5))
    inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    parameters = list(named(module))
    output = (run or module)(*inputs)
    probe = rounded(*output.shape)
    (output * probe).sum().backward()
    CASES[name] = {
        "inputs": [shown(x) for x in inputs],
        "parameters": {path: shown(layout(parameter)) for path, parameter, layout in parameters},
        "output": shown(output),
        "probe": shown(probe),
        "input_gradients": [None if x.grad is None else shown(x.grad) for x in inputs],
        "gradients": {path: shown(layout(parameter.grad)) for path, parameter, layout in parameters},
    }


# Tables.
case("embedding", nn.Embedding(7, 3), torch.tensor([[1, 6, 0, 1], [3, 3, 2, 5]]))
case("embedding_of_rows", nn.Embedding(4, 2), torch.tensor([[[1, 2], [3, 0]], [[0, 0], [1, 3]]]))

positions = nn.Embedding(6, 4)
case("position_embedding", positions, rounded(2, 6, 4), run=lambda x: x + positions(torch.arange(6)))
case("position_embedding_longer", positions, rounded(2, 3, 4), run=lambda x: x + positions(torch.arange(3)))


class ClassToken(nn.Module):
    """As in torchvision's VisionTransformer."""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, dim))

    def forward(self, x):
        return torch.cat([self.weight.expand(x.shape[0], -1, -1), x], dim=1)


case("class_token", ClassToken(3), rounded(2, 4, 3))


class SinusoidalPositions(nn.Module):
    """Vaswani et al. 2017, section 3.5."""

    def __init__(self, base=10000.0):
        super().__init__()
        self.base = base

    def forward(self, x):
        _, length, dim = x.shape
        table = torch.zeros(length, dim, dtype=torch.float64)
        for place in range(length):
            for feature in range(dim):
                angle = place / self.base ** ((feature - feature % 2) / dim)
                table[place, feature] = math.cos(angle) if feature % 2 else math.sin(angle)
        return x + table.float()


case("sinusoidal_positions", SinusoidalPositions(), rounded(2, 5, 6))
case("sinusoidal_positions_odd", SinusoidalPositions(100.0), rounded(1, 4, 5))


def turned(x, base):
    """Su et al. 2021, by complex numbers; [batch, length, .., dim]."""
    length, dim = x.shape[1], x.shape[-1]
    frequencies = base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    turns = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], dim // 2, 2))
    turns = turns.reshape(1, length, *[1] * (x.dim() - 3), dim // 2)
    return torch.view_as_real(pairs * turns).reshape(x.shape)


class RotaryEmbedding(nn.Module):
    def __init__(self, base=10000.0):
        super().__init__()
        self.base = base

    def forward(self, x):
        return turned(x, self.base)


case("rotary_embedding", RotaryEmbedding(), rounded(2, 5, 6))
case("rotary_embedding_of_heads", RotaryEmbedding(50.0), rounded(2, 4, 3, 4))


# Recurrent layers.
def recurrent(name, layer, shape, **arguments):
    module = layer(batch_first=True, **arguments)
    case(name, module, rounded(*shape), run=lambda x: module(x)[0])


for name, layer in [("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)]:
    recurrent(name, layer, (2, 5, 3), input_size=3, hidden_size=4)
    recurrent(f"{name}_of_one_step", layer, (2, 1, 3), input_size=3, hidden_size=2)
    recurrent(f"{name}_without_bias", layer, (2, 3, 2), input_size=2, hidden_size=3, bias=False)
    recurrent(f"{name}_deep", layer, (2, 4, 3), input_size=3, hidden_size=2, num_layers=3)
    recurrent(f"{name}_bidirectional", layer, (2, 4, 3), input_size=3, hidden_size=2, bidirectional=True)
    recurrent(
        f"{name}_all", layer, (2, 3, 2), input_size=2, hidden_size=3, num_layers=2, bidirectional=True, bias=False
    )
recurrent("rnn_relu", nn.RNN, (2, 4, 3), input_size=3, hidden_size=4, nonlinearity="relu")


# Attention.
def later(length):
    return nn.Transformer.generate_square_subsequent_mask(length)


def attention(name, dim, heads, length, *, causal=False, memory=None, **arguments):
    module = nn.MultiheadAttention(dim, heads, batch_first=True, **arguments)
    mask = later(length) if causal else None
    inputs = [rounded(2, length, dim)] + ([] if memory is None else [rounded(2, *memory)])

    def run(x, y=None):
        y = x if y is None else y
        return module(x, y, y, attn_mask=mask, is_causal=causal, need_weights=False)[0]

    case(name, module, *inputs, run=run)


attention("multi_head_attention", 6, 2, 4)
attention("multi_head_attention_of_one", 4, 1, 3)
attention("multi_head_attention_causal", 6, 3, 5, causal=True)
attention("multi_head_attention_without_bias", 4, 2, 3, bias=False)
attention("multi_head_attention_memory", 6, 2, 4, memory=(5, 6))
attention("multi_head_attention_memory_differs", 6, 2, 4, memory=(3, 5), kdim=5, vdim=5)
attention("multi_head_attention_memory_differs_no_bias", 4, 2, 3, memory=(5, 2), kdim=2, vdim=2, bias=False)


def rotary(name, dim, heads, length, *, base=10000.0, causal=False):
    """Attention whose queries and keys are turned, head by head."""
    module = nn.MultiheadAttention(dim, heads, batch_first=True)

    def run(x):
        parts = nn.functional.linear(x, module.in_proj_weight, module.in_proj_bias)
        query, key, value = parts.reshape(2, length, 3, heads, dim // heads).unbind(2)
        query, key = turned(query, base), turned(key, base)
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        output = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        return module.out_proj(output.transpose(1, 2).reshape(x.shape))

    case(name, module, rounded(2, length, dim), run=run)


rotary("multi_head_attention_rotary", 8, 2, 5)
rotary("multi_head_attention_rotary_causal", 8, 2, 5, base=20.0, causal=True)


# Transformers.
def settings(dim, arguments):
    norm = arguments.pop("norm", False)
    layers = arguments.pop("layers", 2)
    causal = arguments.pop("causal", False)
    bias = arguments.get("bias", True)
    norm = nn.LayerNorm(dim, eps=arguments.get("layer_norm_eps", 1e-5), bias=bias) if norm else None
    return layers, norm, causal


def encoder(name, dim, heads, length, **arguments):
    layers, norm, causal = settings(dim, arguments)
    layer = nn.TransformerEncoderLayer(dim, heads, dropout=0.0, batch_first=True, **arguments)
    module = nn.TransformerEncoder(layer, layers, norm=norm, enable_nested_tensor=False)
    mask = later(length) if causal else None
    case(name, module, rounded(2, length, dim), run=lambda x: module(x, mask=mask, is_causal=causal))


encoder("transformer_encoder", 4, 2, 3, dim_feedforward=6)
encoder("transformer_encoder_causal", 4, 2, 4, dim_feedforward=5, layers=1, causal=True)
encoder("transformer_encoder_norm_first", 4, 1, 3, dim_feedforward=6, norm_first=True, norm=True)
encoder("transformer_encoder_gelu", 6, 3, 3, dim_feedforward=4, layers=1, activation="gelu")
encoder("transformer_encoder_no_bias", 4, 2, 3, dim_feedforward=4, layers=1, bias=False, norm=True, layer_norm_eps=0.01)


def decoder(name, dim, heads, length, elements, **arguments):
    layers, norm, causal = settings(dim, arguments)
    layer = nn.TransformerDecoderLayer(dim, heads, dropout=0.0, batch_first=True, **arguments)
    module = nn.TransformerDecoder(layer, layers, norm=norm)
    mask = later(length) if causal else None
    run = lambda x, memory: module(x, memory, tgt_mask=mask, tgt_is_causal=causal)
    case(name, module, rounded(2, length, dim), rounded(2, elements, dim), run=run)


decoder("transformer_decoder", 4, 2, 3, 5, dim_feedforward=6, causal=True)
decoder("transformer_decoder_not_causal", 4, 2, 3, 2, dim_feedforward=5, layers=1)
decoder("transformer_decoder_norm_first", 4, 1, 3, 4, dim_feedforward=6, norm_first=True, norm=True, causal=True, layers=1)
decoder("transformer_decoder_gelu", 6, 3, 3, 2, dim_feedforward=4, layers=1, activation="gelu", causal=True)
decoder(
    "transformer_decoder_no_bias", 4, 2, 3, 3, dim_feedforward=4, layers=1, bias=False, norm=True,
    layer_norm_eps=0.01, causal=True,
)

out = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(f'"{name}": {json.dumps(case, separators=(",", ":"))}' for name, case in CASES.items())
out.write_text(f'{{"torch": "{torch.__version__}",\n"cases": {{\n{lines}\n}}}}\n')
print(f"{len(CASES)} cases in {out}")
