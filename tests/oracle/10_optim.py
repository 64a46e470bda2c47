#!/usr/bin/python3
"""100 steps of every optimiser of torch.optim in double precision, and its schedules, for tests/10_optim.c. Writes
10_optim.safetensors beside this file.

Three parameters, `p.0` to `p.2`; row t of `g.k` is the gradient of parameter k in step t. Parameter 2 has none in the
steps where t % 7 == 3. `rule` holds the number of each case's rule in RULES, `hyper` its numbers in the order of FIELDS.
`c.t.k` is parameter k after t steps in case c. `lr.NAME` are the factors that schedule NAME sets."""
import warnings

import numpy
import torch

import safetensors_writer

RULES = {"sgd": torch.optim.SGD, "adagrad": torch.optim.Adagrad, "adadelta": torch.optim.Adadelta,
         "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
FIELDS = ["lr", "momentum", "dampening", "beta1", "beta2", "alpha", "rho", "eps", "weight_decay", "lr_decay", "initial",
          "nesterov", "centered", "amsgrad"]
RENAMED = {"initial_accumulator_value": "initial"}
CASES = [
    ("sgd", dict(lr=0.01)), ("sgd", dict(lr=0.01, weight_decay=0.1)), ("sgd", dict(lr=0.01, momentum=0.9)),
    ("sgd", dict(lr=0.01, momentum=0.9, dampening=0.3)), ("sgd", dict(lr=0.01, momentum=0.9, nesterov=True)),
    ("sgd", dict(lr=0.01, momentum=0.5, nesterov=True, weight_decay=0.1)),
    ("sgd", dict(lr=0.01, momentum=0.9, dampening=0.5, weight_decay=0.1)), ("sgd", dict(lr=0.0, momentum=0.9)),
    ("adagrad", {}), ("adagrad", dict(lr=0.1, lr_decay=0.05, weight_decay=0.1)),
    ("adagrad", dict(lr=0.1, initial_accumulator_value=0.5, eps=1e-3)),
    ("adadelta", {}), ("adadelta", dict(lr=0.5, rho=0.95, eps=1e-5, weight_decay=0.1)),
    ("rmsprop", {}), ("rmsprop", dict(alpha=0.9, eps=1e-4, weight_decay=0.1)), ("rmsprop", dict(momentum=0.9)),
    ("rmsprop", dict(centered=True)), ("rmsprop", dict(centered=True, momentum=0.8, weight_decay=0.1)),
    ("adam", {}), ("adam", dict(lr=0.01, betas=(0.8, 0.99), eps=1e-5)), ("adam", dict(lr=0.01, weight_decay=0.1)),
    ("adam", dict(lr=0.01, amsgrad=True)), ("adam", dict(lr=0.01, amsgrad=True, betas=(0.9, 0.9), weight_decay=0.1)),
    ("adam", dict(lr=0.01, betas=(0.0, 0.5))),
    ("adamw", {}), ("adamw", dict(lr=0.01, weight_decay=0.5)), ("adamw", dict(lr=0.01, weight_decay=0.0)),
    ("adamw", dict(lr=0.01, amsgrad=True, betas=(0.9, 0.9))),
]
SHAPES, STEPS, SEEN = [(1,), (17,), (3, 23)], 100, (1, 10, 100)


def numbers(optimizer):
    """The hyper-parameters, defaults included, as FIELDS has them."""
    group = {RENAMED.get(k, k): v for k, v in optimizer.param_groups[0].items()}
    group.update(zip(("beta1", "beta2"), group.get("betas", (0, 0))))
    return [float(group.get(f, 0)) for f in FIELDS]


def run(rule, options, start, gradients):
    params = [torch.nn.Parameter(p.double()) for p in start]
    optimizer = RULES[rule](params, **options)
    seen = {}
    for t in range(STEPS):
        for k, p in enumerate(params):
            p.grad = None if k == 2 and t % 7 == 3 else gradients[k][t].double()
        optimizer.step()
        if t + 1 in SEEN:
            seen[t + 1] = [p.detach().clone() for p in params]
    return seen, numbers(optimizer)


SCHEDULES = {
    "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.3),
    "exponential": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.93),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 60, 0.05),
    "warmup": lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 20),
    "one_cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, 60, pct_start=0.3),
    "one_cycle_early": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, 60, pct_start=0.1, div_factor=10,
                                                                     final_div_factor=100),
}


def schedules(arrays):
    for name, make in SCHEDULES.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0, momentum=0.9)
        schedule, factors = make(optimizer), []
        for _ in range(60):
            factors.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        arrays[f"lr.{name}"] = numpy.array(factors)


def plateaus(arrays, random):
    """Two measured curves and the rates that ReduceLROnPlateau makes of them."""
    noise = torch.randn(80, generator=random).double()
    curve = torch.exp(-torch.arange(80) / 8.0).double() + 0.05 * noise
    for name, measured, options in [("plateau", curve, dict(patience=3)),
                                    ("plateau_max", -curve + 2, dict(mode="max", patience=2, factor=0.5, cooldown=4,
                                                                     min_lr=0.05, threshold=0.01))]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
        schedule, factors = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **options), []
        for x in measured.tolist():
            schedule.step(x)
            factors.append(optimizer.param_groups[0]["lr"])
        arrays[f"lr.{name}"], arrays[f"measured.{name}"] = numpy.array(factors), measured.numpy()


def main():
    warnings.simplefilter("ignore")
    random = torch.Generator().manual_seed(10)
    start = [torch.randn(s, generator=random) for s in SHAPES]
    gradients = [torch.randn((STEPS, *s), generator=random) + 0.3 for s in SHAPES]
    gradients[2] *= 10.0 ** torch.linspace(-2, 2, 23)             # scales that differ from column to column
    arrays = {f"p.{k}": p.numpy() for k, p in enumerate(start)}
    arrays.update({f"g.{k}": g.flatten(1).numpy() for k, g in enumerate(gradients)})
    hypers = []
    for c, (rule, options) in enumerate(CASES):
        seen, hyper = run(rule, options, start, gradients)
        hypers.append(hyper)
        for t, params in seen.items():
            for k, p in enumerate(params):
                arrays[f"{c}.{t}.{k}"] = p.numpy()
    arrays["rule"] = numpy.array([list(RULES).index(rule) for rule, _ in CASES], "uint8")
    arrays["hyper"] = numpy.array(hypers)
    schedules(arrays)
    plateaus(arrays, random)
    safetensors_writer.save(__file__, arrays, torch, rules=" ".join(RULES), fields=" ".join(FIELDS))


torch.set_num_threads(1)
main()
