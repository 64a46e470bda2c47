#!/usr/bin/python3
"""Scalar expressions with their values and derivatives of up to third order, in double precision, for
tests/02_scalars.c. Writes 02_value.safetensors beside this file.

An expression is a list of nodes; node i is an operation (its number in OPERATIONS) on nodes before i. The expressions
are stored one behind the other: `expr.start` says where each begins, `expr.op` and `expr.in` hold the nodes,
`expr.data` the leaves' numbers in order, `expr.grad` the gradients of the last node by the leaves that are no
constants, in order, `expr.root` the last node's value; `expr.value` has every node's value in single precision, to find
the first wrong one."""
import random

import numpy
import torch

import safetensors_writer

OPERATIONS = ["leaf", "constant", "add", "sub", "mul", "div", "pow", "max",
              "neg", "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "sin", "cos"]
BINARY = ("add", "sub", "mul", "div", "pow", "max")
UNARY = tuple(OPERATIONS[8:])
TORCH = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "max": torch.maximum,
         **{name: getattr(torch, name) for name in UNARY}}

# Long double twins: values, and slopes by each input.
exact = numpy.longdouble
TWIN = {
    "add": (lambda a, b: a + b, lambda a, b, v: (exact(1), exact(1))),
    "sub": (lambda a, b: a - b, lambda a, b, v: (exact(1), exact(-1))),
    "mul": (lambda a, b: a * b, lambda a, b, v: (b, a)),
    "div": (lambda a, b: a / b, lambda a, b, v: (1 / b, -a / b**2)),
    "pow": (lambda a, b: a**b, lambda a, b, v: (b * a**(b - 1), a**b * numpy.log(a))),
    "max": (max, lambda a, b, v: (exact(a > b), exact(b > a))),
    "neg": (lambda a: -a, lambda a, v: (exact(-1),)),
    "exp": (numpy.exp, lambda a, v: (numpy.exp(a),)),
    "log": (numpy.log, lambda a, v: (1 / a,)),
    "sqrt": (numpy.sqrt, lambda a, v: (exact(0.5) / numpy.sqrt(a),)),
    "tanh": (numpy.tanh, lambda a, v: (1 / numpy.cosh(a)**2,)),
    "sigmoid": (lambda a: 1 / (1 + numpy.exp(-a)), lambda a, v: (1 / (2 + numpy.exp(a) + numpy.exp(-a)),)),
    "relu": (lambda a: max(a, exact(0)), lambda a, v: (exact(a > 0),)),
    "sin": (numpy.sin, lambda a, v: (numpy.cos(a),)),
    "cos": (numpy.cos, lambda a, v: (-numpy.sin(a),)),
}


def sane(name, args):
    """Away from poles, kinks, saturation and overflow, where rounding errors would drown what is compared."""
    a, b = args[0], args[-1]
    return {"div": abs(b) > 0.3, "pow": 0.2 < a < 5 and abs(b) < 3, "max": abs(a - b) > 0.05, "exp": a < 3,
            "log": a > 0.2, "sqrt": a > 0.1, "tanh": abs(a) < 3, "sigmoid": abs(a) < 6, "relu": abs(a) > 0.05}.get(name, True)


def draw(rng, size):
    """A random expression: a list of (operation, inputs, number of a leaf)."""
    leaves = max(2, round(size * rng.uniform(0.15, 0.4)))
    nodes, values = [], []
    for i in range(leaves):
        name = "constant" if i > 1 and rng.random() < 0.25 else "leaf"
        nodes.append((name, (), rng.uniform(-2, 2)))
        values.append(exact(nodes[-1][2]))
    unused = set(range(leaves))
    while len(nodes) < size:
        name = rng.choice(BINARY if rng.random() < 0.65 else UNARY)
        inputs = tuple(rng.choice(sorted(unused)) if unused and rng.random() < 0.7 else rng.randrange(len(nodes))
                       for _ in range(2 if name in BINARY else 1))
        args = [values[i] for i in inputs]
        if not sane(name, args):
            continue
        value = TWIN[name][0](*args)
        if abs(value) > 20:
            continue
        unused -= set(inputs)
        unused.add(len(nodes))
        nodes.append((name, inputs, None))
        values.append(value)
    return nodes


def twin(nodes):
    """Root and gradients of all nodes in long double, by a reverse pass of our own."""
    values = []
    for name, inputs, number in nodes:
        values.append(TWIN[name][0](*(values[i] for i in inputs)) if inputs else exact(number))
    grads = [exact(0)] * len(nodes)
    grads[-1] = exact(1)
    for i in range(len(nodes) - 1, -1, -1):
        name, inputs, _ = nodes[i]
        if inputs:
            for j, slope in zip(inputs, TWIN[name][1](*(values[k] for k in inputs), values[i])):
                grads[j] += grads[i] * slope
    return values[-1], grads


def evaluate(nodes):
    """The same in PyTorch: a tensor for each node."""
    values = []
    for name, inputs, number in nodes:
        values.append(TORCH[name](*(values[i] for i in inputs)) if inputs else
                      torch.tensor(number, dtype=torch.float64, requires_grad=name == "leaf"))
    return values


def close(a, b, tolerance):
    return bool(abs(exact(a) - exact(b)) <= tolerance * abs(exact(b)))


def gradients(nodes):
    """Values and leaf gradients by PyTorch; None if the root depends on no leaf, or if they are ill conditioned: if the
    long double twin differs by more than 1e-13."""
    values = evaluate(nodes)
    if not values[-1].requires_grad:
        return None
    values[-1].backward()
    root, grads = twin(nodes)
    leaves = [i for i, node in enumerate(nodes) if node[0] == "leaf"]
    mine = [0.0 if values[i].grad is None else values[i].grad.item() for i in leaves]
    if not close(values[-1].item(), root, 1e-13) or not all(close(g, grads[i], 1e-13) for g, i in zip(mine, leaves)):
        return None
    return [v.item() for v in values], mine


def encode(prefix, expressions):
    """The arrays of a list of expressions."""
    start, op, ins, data = [0], [], [], []
    for nodes in expressions:
        for name, inputs, number in nodes:
            op.append(OPERATIONS.index(name))
            ins.append((inputs + (0, 0))[:2])
            if not inputs:
                data.append(number)
        start.append(len(op))
    return {prefix + ".start": numpy.array(start, "int32"), prefix + ".op": numpy.array(op, "uint8"),
            prefix + ".in": numpy.array(ins, "uint8"), prefix + ".data": numpy.array(data, "float64")}


def many(rng, count=300, smallest=5, largest=200):
    expressions, root, grad, value = [], [], [], []
    while len(expressions) < count:
        nodes = draw(rng, smallest + (largest - smallest) * len(expressions) // (count - 1))
        result = gradients(nodes)
        if result:
            expressions.append(nodes)
            value += result[0]
            root.append(result[0][-1])
            grad += result[1]
    assert {name for nodes in expressions for name, _, _ in nodes} == set(OPERATIONS)
    return {**encode("expr", expressions), "expr.root": numpy.array(root), "expr.grad": numpy.array(grad),
            "expr.value": numpy.array(value, "float32")}


def derivatives(f, x, y):
    """fx fy, fxx fxy fyx fyy, fxxx ... fyyy: each derivative again by x and by y."""
    level, result = [f], []
    for _ in range(3):
        level = [d for g in level for d in torch.autograd.grad(g, (x, y), create_graph=True)]
        result += [d.item() for d in level]
    return result


def higher(rng, count=40):
    """Expressions with all derivatives by their first two leaves up to the third order, and some by an inner node z:
    fz, fzx, fzy, fzz."""
    expressions, derivs, inner, by_inner = [], [], [], []
    while len(expressions) < count:
        nodes = draw(rng, rng.randrange(6, 30))
        values = evaluate(nodes)
        x, y, f = values[0], values[1], values[-1]
        i = rng.randrange(2, len(nodes) - 1)
        z = values[i]
        try:
            d = derivatives(f, x, y)
            fz, = torch.autograd.grad(f, z, create_graph=True)
            d_z = [fz.item()] + [g.item() for g in torch.autograd.grad(fz, (x, y, z))]
        except RuntimeError:                       # not every one of them depends on both
            continue
        if nodes[i][1] and gradients(nodes) and all(1e-6 < abs(v) < 1e4 for v in d + d_z):
            expressions.append(nodes)
            derivs.append(d)
            inner.append(i)
            by_inner.append(d_z)
    return {**encode("higher", expressions), "higher.derivatives": numpy.array(derivs),
            "higher.inner": numpy.array(inner, "int32"), "higher.by_inner": numpy.array(by_inner)}


def points():
    """Every operation at single points, edges and NaN among them: the value and the slope by each input."""
    inf, nan = float("inf"), float("nan")
    rows = []
    for name in UNARY:
        for a in (0, -0.0, 1, -1, 0.5, 2, -2.5, 1e-8, -1e-8, 30, -30, 700, -700, 800, -800, 1e300, 1e-300, inf, -inf, nan):
            rows.append((name, a, 0.0))
    for name in BINARY:
        for a in (0, 1, -1, 2, 0.5, -2, 3.25, 1e200, inf, -inf, nan):
            for b in (0, 1, -1, 2, 0.5, -2, 3.25, 1e200, inf, -inf, nan):
                rows.append((name, a, b))
    results = []
    for name, a, b in rows:
        x = [torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in ((a, b) if name in BINARY else (a,))]
        y = TORCH[name](*x)
        y.backward()
        results.append([y.item()] + [v.grad.item() for v in x] + [0.0] * (2 - len(x)))
    return {"point.op": numpy.array([OPERATIONS.index(r[0]) for r in rows], "uint8"),
            "point.at": numpy.array([r[1:] for r in rows], "float64"), "point.result": numpy.array(results)}


torch.set_num_threads(1)
safetensors_writer.save(__file__, {**many(random.Random(1)), **higher(random.Random(2)), **points()}, torch,
                        operations=" ".join(OPERATIONS))
