"""Records learning rates of torch, optax, timm, composer and transformers for the phases that Kiln defines as
they do, and what torch's and optax's plateaus answer to a sequence of metrics.

Run: python tests/peers/schedules.py  (needs torch, optax and numpy; timm, mosaicml and transformers need no more than
`pip install --no-deps`, since nothing but their schedulers is loaded); it writes schedules.json beside itself.
Recorded with the versions named in that file. Everything is computed in float64: the schedulers of torch, timm,
composer and transformers are Python floats, optax runs with jax_enable_x64.

Each case holds the schedule as Kiln's `Plan` (the serde form of `kiln::schedule::Plan`), the length of the
training, the steps and the peer's rates at them. Each plateau holds the metric after each epoch of one step, and the
peer's rate after it.

Where the definitions differ, what is compared is shifted, or left out:
- torch's SequentialLR and optax's join_schedules count the milestones of a later phase from that phase's start,
  Kiln's `step` from the start of training (Goyal et al. 2017); those compositions are recorded from milestones that
  were shifted accordingly.
- torch's CosineAnnealingLR rises again after T_max, so it is recorded up to T_max.
- timm's multistep fires one step early (`bisect_right(decay_t, t + 1)`) and counts from the end of the warmup, so its
  milestones are one step late here, less the warmup.
- torch's OneCycleLR gives its last step, total_steps - 1, the final rate; Kiln's one_cycle ends one step after its
  last. N steps of torch's are a Kiln cycle of N - 1, with the peak at the same step.
- optax's plateau reduces at the patience-th bad value, torch's and Kiln's at the one after.
- timm's cosine computes the number of the cycle by a logarithm that rounds; restarts of other ratios than 2 are left
  out at the restart itself.
"""

import enum
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import math
import pathlib
import sys
import types
import unittest.mock

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy  # noqa: E402
import optax  # noqa: E402
import torch  # noqa: E402
from torch.optim import lr_scheduler as torch_lr  # noqa: E402


def stand_in(name, **contents):
    """A module called `name` with these contents; where the package is installed its folder is its own."""
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    if "." not in name:
        module.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
    sys.modules[name] = module
    return module


# timm's and transformers' packages load vision and tokenizers, composer's a trainer.
stand_in("timm")
import timm.scheduler as timm_lr  # noqa: E402

stand_in("transformers")
stand_in("transformers.trainer_pt_utils", LayerWiseDummyOptimizer=None, LayerWiseDummyScheduler=None)
stand_in("transformers.trainer_utils", SchedulerType=unittest.mock.MagicMock())
stand_in("transformers.utils", logging=types.SimpleNamespace(get_logger=logging.getLogger))
from transformers import optimization as transformers_lr  # noqa: E402

stand_in("composer")
core = stand_in("composer.core", State=None)
core.__path__ = [composer_core + "/core" for composer_core in sys.modules["composer"].__path__]
optim = stand_in("composer.optim")
optim.__path__ = [composer_core + "/optim" for composer_core in sys.modules["composer"].__path__]


class StringEnum(str, enum.Enum):
    """composer.utils.StringEnum, as far as its times need it."""

    @classmethod
    def _missing_(cls, value):
        return next((member for member in cls if member.name.lower() == str(value).lower()), None)


stand_in("composer.utils", StringEnum=StringEnum)
stand_in("composer.core.serializable", Serializable=object)
composer_time = importlib.import_module("composer.core.time")
core.Time, core.TimeUnit = composer_time.Time, composer_time.TimeUnit
composer_lr = importlib.import_module("composer.optim.scheduler")

STEPS = 1000
EPOCH = 100
CASES = []
PLATEAUS = []


def steps_of(*interesting):
    """Both ends, the neighbours of what is interesting, and a spread between."""
    chosen = {0, 1, 2, STEPS - 1, STEPS, *range(0, STEPS, 83)}
    for step in interesting:
        chosen.update({step - 1, step, step + 1})
    return sorted(step for step in chosen if 0 <= step)


def record(peer, call, peak, phases, rates, steps):
    assert len(rates) == len(steps)
    assert all(math.isfinite(rate) for rate in rates)
    plan = {"peak": peak, "scaling": None, "phases": phases}
    CASES.append({"peer": peer, "call": call, "plan": plan, "horizon": STEPS, "steps": steps, "rates": rates})


def torch_case(call, peak, phases, steps):
    """`call` is evaluated with `o`, an optimizer of one parameter, and stepped from 0."""
    o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = eval(call, {**vars(torch_lr), "o": o})
    wanted, rates = set(steps), []
    for step in range(max(steps) + 1):
        if step in wanted:
            rates.append(float(o.param_groups[0]["lr"]))
        o.step()
        scheduler.step()
    record("torch", call, peak, phases, rates, steps)


def optax_case(call, peak, phases, steps):
    schedule = eval(call, vars(optax))
    rates = []
    for step in steps:
        rate = numpy.asarray(schedule(numpy.int64(step)))
        rates.append(float(rate))
    record("optax", call, peak, phases, rates, steps)


def timm_case(call, peak, phases, steps):
    """`call` is evaluated with `o`; timm's schedulers are functions of the epoch, which is a step here."""
    o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = eval(call, {**vars(timm_lr), "o": o})
    rates = []
    for step in steps:
        scheduler.step(step)
        rates.append(float(o.param_groups[0]["lr"]))
    record("timm", call, peak, phases, rates, steps)


def transformers_case(call, peak, phases, steps):
    o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = eval(call, {**vars(transformers_lr), "o": o})
    rates = [peak * scheduler.lr_lambdas[0](step) for step in steps]
    record("transformers", call, peak, phases, rates, steps)


def composer_case(call, peak, phases, steps):
    """A training of 10 epochs of 100 batches."""
    scheduler = eval(call, vars(composer_lr))
    time, unit = composer_time.Time, composer_time.TimeUnit
    state = types.SimpleNamespace(max_duration=time(STEPS // EPOCH, unit.EPOCH), dataloader_len=time(EPOCH, unit.BATCH))
    rates = []
    for step in steps:
        state.timestamp = composer_time.Timestamp(batch=step, epoch=step // EPOCH, batch_in_epoch=step % EPOCH)
        rates.append(peak * scheduler(state, 1.0))
    record("composer", call, peak, phases, rates, steps)


def torch_plateau(call, peak, phase, metrics):
    o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = eval(call, {**vars(torch_lr), "o": o})
    rates = []
    for metric in metrics:
        o.step()
        scheduler.step(metric)
        rates.append(float(o.param_groups[0]["lr"]))
    keep_plateau("torch", call, peak, phase, metrics, rates)


def optax_plateau(call, peak, phase, metrics):
    transform = eval(call, vars(optax.contrib))
    params = jnp.zeros(1, jnp.float64)
    state = transform.init(params)
    rates = []
    for metric in metrics:
        updates, state = transform.update(jnp.ones(1, jnp.float64), state, params, value=metric)
        rates.append(peak * float(updates[0]))
    keep_plateau("optax", call, peak, phase, metrics, rates)


def keep_plateau(peer, call, peak, phase, metrics, rates):
    assert len(set(rates)) > 1, f"{call} never reduces"
    plan = {"peak": peak, "scaling": None, "phases": [phase]}
    PLATEAUS.append({"peer": peer, "call": call, "plan": plan, "metrics": metrics, "rates": rates})


def t(value):
    return {"steps": value}


def epochs(value):
    return {"epochs": value}


def percent(value):
    return {"percent": value}


def warmup(over, start):
    return {"warmup": {"duration": t(over), "from": start}}


def linear(over, start, end):
    return {"linear": {"duration": over and t(over), "from": start, "to": end}}


def cosine(over, end):
    return {"cosine": {"duration": over and t(over), "to": end}}


def step(factor, at):
    return {"step": {"factor": factor, "at": [t(moment) for moment in at]}}


def exponential(factor, every):
    return {"exponential": {"duration": None, "factor": factor, "every": t(every)}}


def hold(over=None):
    return {"hold": {"duration": over and t(over)}}


def polynomial(over, power, end):
    return {"polynomial": {"duration": over and t(over), "power": power, "to": end}}


def restarts(period, mult=1.0, decay=1.0, end=0.0, over=None):
    times = {"duration": over and t(over), "period": t(period)}
    return {"cosine_restarts": {**times, "mult": mult, "decay": decay, "to": end}}


def one_cycle(over, up, start, end, shape="cosine", three_phase=False):
    shape = {"shape": shape, "three_phase": three_phase}
    return {"one_cycle": {"duration": over and t(over), "up": up, "from": start, "to": end, **shape}}


def cyclic(up, down, start, mode="triangular", gamma=None):
    times = {"duration": None, "up": t(up), "down": down and t(down)}
    return {"cyclic": {**times, "from": start, "mode": mode, "gamma": gamma}}


def inverse_sqrt(timescale=None):
    return {"inverse_sqrt": {"duration": None, "timescale": timescale and t(timescale)}}


def plateau(factor, patience, threshold=1e-4, threshold_mode="relative", cooldown=0, min_lr=0.0, on="validation_loss", mode=None):
    times = {"patience": epochs(patience), "cooldown": epochs(cooldown)}
    rule = {"factor": factor, "threshold": threshold, "threshold_mode": threshold_mode, "min_lr": min_lr}
    return {"plateau": {**rule, **times, "on": on, "mode": mode}}


CONSTANT = {"constant": {"duration": None}}

# Warmup: from + (1 - from) t / W.
for peak, over, start in [(0.1, 100, 0.25), (1.5, 7, 1e-3), (3.2, 500, 0.5)]:
    call = f"LinearLR(o, start_factor={start}, end_factor=1.0, total_iters={over})"
    torch_case(call, peak, [warmup(over, start), CONSTANT], steps_of(over))
for peak, over, start in [(0.1, 100, 0.0), (12.8, 333, 0.1), (1e-3, 1, 0.0), (0.4, 1000, 0.0)]:
    call = f"linear_schedule({start * peak!r}, {peak}, {over})"
    optax_case(call, peak, [warmup(over, start)], steps_of(over))
optax_case("warmup_constant_schedule(0.0, 0.8, 50)", 0.8, [warmup(50, 0.0), CONSTANT], steps_of(50))

# Milestones.
for peak, factor, at in [(0.1, 0.1, [300, 600, 800]), (2.0, 0.5, [1, 2, 999]), (0.3, 0.2, [500])]:
    torch_case(f"MultiStepLR(o, milestones={at}, gamma={factor})", peak, [step(factor, at)], steps_of(*at))
    call = f"piecewise_constant_schedule({peak}, {{{', '.join(f'{moment}: {factor}' for moment in at)}}})"
    optax_case(call, peak, [step(factor, at)], steps_of(*at))
torch_case("StepLR(o, step_size=250, gamma=0.3)", 0.1, [step(0.3, [250, 500, 750, 1000])], steps_of(250, 500, 750))

# Linear.
for peak, start, end, over in [(0.1, 1.0, 0.1, 400), (0.7, 0.5, 0.25, 999)]:
    call = f"LinearLR(o, start_factor={start}, end_factor={end}, total_iters={over})"
    torch_case(call, peak, [linear(over, start, end)], steps_of(over))
for peak, start, end, over in [(0.1, 1.0, 0.0, 400), (5.0, 0.2, 0.9, 123), (0.01, 1.0, 0.0, None)]:
    call = f"linear_schedule({peak * start!r}, {peak * end!r}, {over or STEPS})"
    optax_case(call, peak, [linear(over, start, end)], steps_of(over or STEPS))

# Half a cosine.
for peak, end, over in [(0.1, 0.0, 1000), (0.6, 0.05, 1000), (1.2, 0.1, 777)]:
    call = f"CosineAnnealingLR(o, T_max={over}, eta_min={peak * end!r})"
    steps = [at for at in steps_of(over) if at <= over]
    torch_case(call, peak, [cosine(over, end)], steps)
for peak, end, over in [(0.1, 0.0, None), (2.5, 0.01, 600), (1e-4, 0.5, 31)]:
    call = f"cosine_decay_schedule({peak}, {over or STEPS}, alpha={end})"
    optax_case(call, peak, [cosine(over, end)], steps_of(over or STEPS))

# Exponential.
for peak, factor in [(0.1, 0.999), (0.5, 0.95)]:
    torch_case(f"ExponentialLR(o, gamma={factor})", peak, [exponential(factor, 1)], steps_of())
for peak, factor, every in [(0.1, 0.95, 10), (3.0, 0.5, 250)]:
    optax_case(f"exponential_decay({peak}, {every}, {factor})", peak, [exponential(factor, every)], steps_of(every))

# Compositions. optax counts the warmup inside decay_steps.
call = "warmup_cosine_decay_schedule(0.0, 0.4, 100, 1000, end_value=0.004)"
optax_case(call, 0.4, [warmup(100, 0.0), cosine(None, 0.01)], steps_of(100))
call = "warmup_cosine_decay_schedule(0.1, 1.0, 50, 800)"
optax_case(call, 1.0, [warmup(50, 0.1), cosine(750, 0.0)], steps_of(50, 800))
call = "join_schedules([linear_schedule(0.0, 3.2, 50), piecewise_constant_schedule(3.2, {250: 0.1, 550: 0.1, 750: 0.1})], [50])"
optax_case(call, 3.2, [warmup(50, 0.0), step(0.1, [300, 600, 800])], steps_of(50, 300, 600, 800))
call = "join_schedules([linear_schedule(0.0, 0.2, 100), constant_schedule(0.2), linear_schedule(0.2, 0.0, 300)], [100, 700])"
trapezoid = [warmup(100, 0.0), {"constant": {"duration": t(600)}}, linear(None, 1.0, 0.0)]
optax_case(call, 0.2, trapezoid, steps_of(100, 700))
call = "SequentialLR(o, [LinearLR(o, 0.01, 1.0, 100), ExponentialLR(o, 0.99)], milestones=[100])"
torch_case(call, 0.3, [warmup(100, 0.01), exponential(0.99, 1)], steps_of(100))

# Constant warmup.
for peak, over, start in [(0.1, 100, 0.1), (0.8, 333, 1 / 3)]:
    phase = {"warmup": {"duration": t(over), "from": start, "shape": "constant"}}
    torch_case(f"ConstantLR(o, factor={start!r}, total_iters={over})", peak, [phase, CONSTANT], steps_of(over))

# Polynomial. torch multiplies its rates up, which loses what is small.
for peak, power, over in [(0.1, 1.0, 400), (0.5, 2.0, 999), (2.0, 0.5, 50)]:
    call = f"PolynomialLR(o, total_iters={over}, power={power})"
    torch_case(call, peak, [polynomial(over, power, 0.0)], [at for at in steps_of(over) if at < 0.9 * over])
for peak, power, end, over in [(0.1, 2.0, 0.0, None), (0.3, 0.9, 0.01, 777), (1.0, 3.0, 0.5, 64)]:
    call = f"polynomial_schedule({peak}, {peak * end!r}, {power}, {over or STEPS})"
    optax_case(call, peak, [polynomial(over, power, end)], steps_of(over or STEPS))
for peak, power, end, over in [(0.1, 0.5, 0.0, 1000), (0.4, 2.0, 0.1, 700)]:
    call = f"PolyLRScheduler(o, t_initial={over}, power={power}, lr_min={peak * end!r})"
    timm_case(call, peak, [polynomial(over, power, end)], steps_of(over))

# Cosine restarts. optax joins cosines of lengths that are given.
for peak, period, mult, end in [(0.1, 10, 1, 0.0), (0.7, 50, 2, 0.01), (1.3, 7, 3, 0.1)]:
    call = f"CosineAnnealingWarmRestarts(o, T_0={period}, T_mult={mult}, eta_min={peak * end!r})"
    ends = [period, 2 * period, period * (1 + mult), period * (1 + mult + mult**2)]
    torch_case(call, peak, [restarts(period, mult, end=end)], steps_of(*ends))
for peak, period, mult, decay, end in [(0.1, 100, 1.0, 0.5, 0.0), (0.5, 60, 2.0, 0.9, 0.01), (1.0, 250, 1.0, 1.0, 0.1)]:
    rest = f"cycle_mul={mult}, cycle_decay={decay}, cycle_limit=100"
    call = f"CosineLRScheduler(o, t_initial={period}, lr_min={peak * end!r}, {rest})"
    ends = [period, 2 * period, int(period * (1 + mult)), int(period * (1 + mult + mult**2))]
    timm_case(call, peak, [restarts(period, mult, decay, end)], steps_of(*ends))
call = "CosineLRScheduler(o, t_initial=40, lr_min=0.0, cycle_mul=1.5, cycle_decay=0.8, cycle_limit=100)"
timm_case(call, 0.2, [restarts(40, 1.5, 0.8)], steps_of(20, 60, 150))
call = "CosineLRScheduler(o, t_initial=100, lr_min=0.02, cycle_mul=2.0, cycle_decay=0.5, cycle_limit=3)"
timm_case(call, 0.2, [restarts(100, 2.0, 0.5, 0.1, over=700)], steps_of(100, 300, 700))
for peak, period, mult, end in [(1.0, 300, 1.0, 0.0), (0.1, 100, 1.5, 0.5), (2.0, 10, 2.0, 0.01)]:
    call = f"CosineAnnealingWarmRestartsScheduler(t_0='{period}ba', t_mult={mult}, alpha_f={end})"
    chosen = [at for at in steps_of(period, 2 * period, int(period * (1 + mult))) if mult != 1.5 or at < 475]
    composer_case(call, peak, [restarts(period, mult, end=end)], chosen)
cosines = [{"init_value": 0.5, "peak_value": 0.5, "warmup_steps": 0, "decay_steps": n, "end_value": 0.05} for n in (100, 200, 400)]
optax_case(f"sgdr_schedule({cosines})", 0.5, [restarts(100, 2.0, end=0.1, over=700)], steps_of(100, 300))

# Inverse square roots, Vaswani et al. 2017 among them.
for peak, warm, scale in [(0.1, 100, None), (1.0, 50, 400), (0.02, 1, 10_000)]:
    call = f"get_inverse_sqrt_schedule(o, {warm}, {scale})"
    transformers_case(call, peak, [warmup(warm, 0.0), inverse_sqrt(scale)], steps_of(warm))
transformers_case("get_inverse_sqrt_schedule(o, 0)", 0.3, [inverse_sqrt(10_000)], steps_of())
call = "get_polynomial_decay_schedule_with_warmup(o, 100, 1000, lr_end=1e-3, power=2.0)"
transformers_case(call, 0.1, [warmup(100, 0.0), polynomial(None, 2.0, 0.01)], steps_of(100))
call = "get_wsd_schedule(o, num_warmup_steps=100, num_decay_steps=300, num_training_steps=1000, decay_type='linear')"
transformers_case(call, 0.1, [warmup(100, 0.0), hold(600), linear(None, 1.0, 0.0)], steps_of(100, 700))
call = "get_wsd_schedule(o, num_warmup_steps=50, num_decay_steps=250, num_training_steps=1000, min_lr_ratio=0.1)"
transformers_case(call, 0.7, [warmup(50, 0.1), hold(700), cosine(None, 0.1)], steps_of(50, 750))

# One cycle.
for peak, total, up, div, final, shape, three in [
    (0.1, 1000, 0.3, 25.0, 1e4, "cos", False),
    (0.8, 600, 0.4, 10.0, 100.0, "linear", False),
    (3.0, 1000, 0.3, 25.0, 1e4, "cos", True),
    (0.5, 500, 0.45, 4.0, 1e3, "linear", True),
]:
    parts = f"pct_start={up}, div_factor={div}, final_div_factor={final}, anneal_strategy='{shape}', three_phase={three}"
    call = f"OneCycleLR(o, max_lr={peak}, total_steps={total}, {parts})"
    share, shape = (up * total - 1) / (total - 1), {"cos": "cosine", "linear": "linear"}[shape]
    phase = one_cycle(total - 1, share, 1 / div, 1 / (div * final), shape, three)
    torch_case(call, peak, [phase], [at for at in steps_of(int(up * total), total - 1) if at < total])
for peak, total, up, div, final in [(0.1, 1000, 0.3, 25.0, 1e4), (2.0, 400, 0.5, 5.0, 50.0)]:
    call = f"cosine_onecycle_schedule({total}, {peak}, {up}, {div}, {final})"
    optax_case(call, peak, [one_cycle(total, up, 1 / div, 1 / (div * final))], steps_of(int(up * total), total))
for peak, total, up, div, final in [(0.1, 1000, 0.3, 25.0, 1e4), (0.9, 800, 0.25, 10.0, 10.0)]:
    call = f"linear_onecycle_schedule({total}, {peak}, {up}, {2 * up}, {div}, {final})"
    phase = one_cycle(total, up, 1 / div, 1 / (div * final), "linear", True)
    optax_case(call, peak, [phase], steps_of(int(up * total), int(2 * up * total), total))

# Cycles.
for peak, base, up, down, mode, gamma in [
    (0.1, 0.01, 100, None, "triangular", 1.0),
    (1.0, 0.25, 30, 70, "triangular", 1.0),
    (0.5, 0.05, 64, None, "triangular2", 1.0),
    (2.0, 0.5, 10, 40, "triangular2", 1.0),
    (0.3, 0.1, 50, None, "exp_range", 0.999),
    (0.06, 0.02, 25, 100, "exp_range", 0.99),
]:
    parts = f"step_size_up={up}, step_size_down={down}, mode='{mode}', gamma={gamma}, cycle_momentum=False"
    call = f"CyclicLR(o, base_lr={base}, max_lr={peak}, {parts})"
    own = gamma if mode == "exp_range" else None
    torch_case(call, peak, [cyclic(up, down, base / peak, mode, own)], steps_of(up, up + (down or up)))

# timm's steps and warmups.
call = "StepLRScheduler(o, decay_t=250, decay_rate=0.3)"
timm_case(call, 0.1, [step(0.3, [250, 500, 750, 1000])], steps_of(250, 500, 750))
call = "MultiStepLRScheduler(o, decay_t=[251, 551], decay_rate=0.1, warmup_t=50, warmup_lr_init=0.01)"
timm_case(call, 0.4, [warmup(50, 0.025), step(0.1, [300, 600])], steps_of(50, 300, 600))
call = "CosineLRScheduler(o, t_initial=900, lr_min=1e-3, warmup_t=100, warmup_lr_init=1e-4, warmup_prefix=True)"
timm_case(call, 0.1, [warmup(100, 1e-3), cosine(900, 0.01)], steps_of(100))

# composer's units: batches, epochs and shares of the training.
for call, peak, phases in [
    ("StepScheduler(step_size='2ep', gamma=0.5)", 1.0, [{"step": {"factor": 0.5, "at": [epochs(n) for n in (2, 4, 6, 8, 10)]}}]),
    ("MultiStepScheduler(milestones=['50ba', '1ep', '0.4dur'], gamma=0.5)", 0.1, [{"step": {"factor": 0.5, "at": [t(50), epochs(1), percent(40)]}}]),
    ("LinearScheduler(alpha_i=0.5, alpha_f=2.0, t_max='0.25dur')", 0.2, [{"linear": {"duration": percent(25), "from": 0.5, "to": 2.0}}]),
    ("ExponentialScheduler(gamma=0.5, decay_period='1ep')", 0.3, [{"exponential": {"duration": None, "factor": 0.5, "every": epochs(1)}}]),
    ("CosineAnnealingScheduler(t_max='3ep', alpha_f=0.5)", 0.7, [{"cosine": {"duration": epochs(3), "to": 0.5}}]),
    ("PolynomialScheduler(power=2.0, t_max='0.5dur', alpha_f=0.5)", 1.1, [{"polynomial": {"duration": percent(50), "power": 2.0, "to": 0.5}}]),
    ("ConstantWithWarmupScheduler(t_warmup='2ep')", 0.4, [{"warmup": {"duration": epochs(2), "from": 0.0}}, CONSTANT]),
    ("LinearWithWarmupScheduler(t_warmup='0.3dur', alpha_f=0.1)", 0.4, [{"warmup": {"duration": percent(30), "from": 0.0}}, linear(None, 1.0, 0.1)]),
    ("MultiStepWithWarmupScheduler(t_warmup='1ep', milestones=['3ep', '6ep'], gamma=0.2)", 0.4, [{"warmup": {"duration": epochs(1), "from": 0.0}}, {"step": {"factor": 0.2, "at": [epochs(3), epochs(6)]}}]),
    ("CosineAnnealingWithWarmupScheduler(t_warmup='0.9dur', alpha_f=0.5)", 0.4, [{"warmup": {"duration": percent(90), "from": 0.0}}, cosine(None, 0.5)]),
    ("PolynomialWithWarmupScheduler(t_warmup='1ep', power=3.0, alpha_f=0.1)", 0.4, [{"warmup": {"duration": epochs(1), "from": 0.0}}, polynomial(None, 3.0, 0.1)]),
]:
    composer_case(call, peak, phases, [at for at in steps_of(50, 100, 200, 250, 300, 400, 500, 600, 900) if at <= STEPS])

# What is held is what the phase before ended with.
call = "join_schedules([linear_schedule(0.1, 1.0, 100), polynomial_schedule(1.0, 0.2, 2.0, 300), constant_schedule(0.2)], [100, 400])"
optax_case(call, 1.0, [warmup(100, 0.1), polynomial(300, 2.0, 0.2), hold()], steps_of(100, 400))

# Plateaus. The metrics fall, stall, jump and are no numbers.
random = numpy.random.default_rng(7)
falling = [float(value) for value in numpy.exp(-numpy.arange(60) / 8) + 0.1 + 0.02 * random.standard_normal(60)]
stalling = [1.0, 0.8, 0.8, 0.79995, 0.7999, 0.8, 0.8, 0.5, 0.6, 0.5, 0.5, 0.49996, 0.49, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
broken = [1.0, math.nan, math.nan, 0.9, math.inf, math.nan, 0.9, 0.9, 0.9, 0.2, -math.inf, 0.1, 0.1, 0.1]
rising = [1.0 - value / 2 for value in falling]
below_zero = [-value for value in falling]
for metrics, peak, parts, phase in [
    (falling, 0.1, "", plateau(0.1, 10)),
    (falling, 0.1, "factor=0.5, patience=0", plateau(0.5, 0)),
    (falling, 1.0, "factor=0.3, patience=3, cooldown=4", plateau(0.3, 3, cooldown=4)),
    (falling, 0.1, "factor=0.5, patience=2, threshold=0.05", plateau(0.5, 2, 0.05)),
    (falling, 0.1, "factor=0.5, patience=2, threshold=0.01, threshold_mode='abs'", plateau(0.5, 2, 0.01, "absolute")),
    (falling, 0.1, "factor=0.1, patience=1, min_lr=3e-4", plateau(0.1, 1, min_lr=3e-4)),
    (falling, 1e-6, "factor=0.1, patience=1", plateau(0.1, 1)),
    (falling, 0.2, "factor=0.9, patience=0, cooldown=1, threshold=0", plateau(0.9, 0, 0.0, cooldown=1)),
    (stalling, 0.1, "factor=0.5, patience=1", plateau(0.5, 1)),
    (stalling, 0.1, "factor=0.5, patience=2, threshold=0, cooldown=2", plateau(0.5, 2, 0.0, cooldown=2)),
    (broken, 0.1, "factor=0.5, patience=1", plateau(0.5, 1)),
    (rising, 0.1, "mode='max', factor=0.5, patience=2", plateau(0.5, 2, on="accuracy")),
    (rising, 0.1, "mode='max', factor=0.5, patience=1, threshold=0.02, cooldown=1", plateau(0.5, 1, 0.02, cooldown=1, on={"named": "f1"}, mode="max")),
    (rising, 0.1, "mode='max', factor=0.2, patience=3, threshold=0.01, threshold_mode='abs', min_lr=1e-3", plateau(0.2, 3, 0.01, "absolute", min_lr=1e-3, on="accuracy")),
    (below_zero, 0.1, "mode='max', factor=0.5, patience=2, threshold=0.01, threshold_mode='abs'", plateau(0.5, 2, 0.01, "absolute", on={"named": "likelihood"}, mode="max")),
]:
    torch_plateau(f"ReduceLROnPlateau(o{parts and ', '}{parts})", peak, phase, metrics)
for metrics, peak, parts, phase in [
    (falling, 0.1, "factor=0.5, patience=3, rtol=1e-4", plateau(0.5, 2)),
    (falling, 0.1, "factor=0.5, patience=2, rtol=0.0, atol=0.01, cooldown=3", plateau(0.5, 1, 0.01, "absolute", cooldown=3)),
    (stalling, 1.0, "factor=0.1, patience=2, rtol=1e-4, min_scale=0.05", plateau(0.1, 1, min_lr=0.05)),
]:
    optax_plateau(f"reduce_on_plateau({parts})", peak, phase, metrics)

names = ["torch", "optax", "jax", "timm", "mosaicml", "transformers"]
versions = {name: importlib.metadata.version(name) for name in names}
out = pathlib.Path(__file__).with_suffix(".json")


def one_a_line(items):
    # JSON has no NaN.
    finite = lambda value: value if math.isfinite(value) else str(value)
    shown = ({**item, "metrics": [finite(value) for value in item["metrics"]]} if "metrics" in item else item for item in items)
    return ",\n".join(json.dumps(item, allow_nan=False) for item in shown)


out.write_text(
    f'{{"versions": {json.dumps(versions)},\n"cases": [\n{one_a_line(CASES)}\n],\n"plateaus": [\n{one_a_line(PLATEAUS)}\n]}}\n'
)
rates = sum(len(case["rates"]) for case in CASES + PLATEAUS)
print(f"{len(CASES)} cases, {len(PLATEAUS)} plateaus, {rates} rates")
