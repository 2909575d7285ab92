"""Records learning rates of torch.optim.lr_scheduler and optax for the phases that Kiln defines as they do.

Run: python tests/peers/schedules.py  (needs torch, optax, numpy); it writes schedules.json beside itself.
Recorded with the versions named in that file. Everything is computed in float64: torch's schedulers are
Python floats, optax runs with jax_enable_x64.

Each case holds the schedule as Kiln's `Plan` (the serde form of `kiln::schedule::Plan`), the length of the
training, the steps and the peer's rates at them.

Left out, because the definitions differ: torch's SequentialLR and optax's join_schedules count the milestones
of a later phase from that phase's start, Kiln's `step` from the start of training (Goyal et al. 2017); those
compositions are recorded from milestones that were shifted accordingly. torch's CosineAnnealingLR rises again
after T_max, so it is recorded up to T_max.
"""

import json
import math
import pathlib

import jax

jax.config.update("jax_enable_x64", True)

import numpy  # noqa: E402
import optax  # noqa: E402
import torch  # noqa: E402
from torch.optim import lr_scheduler as torch_lr  # noqa: E402

STEPS = 1000
CASES = []


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


def t(value):
    return {"steps": value}


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

versions = {"torch": torch.__version__, "optax": optax.__version__, "jax": jax.__version__}
out = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(json.dumps(case) for case in CASES)
out.write_text(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n')
print(f"{len(CASES)} cases, {sum(len(case['steps']) for case in CASES)} rates")
