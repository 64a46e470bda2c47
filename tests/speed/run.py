#!/usr/bin/python3
"""Times the library against its peers: run.py [--build DIR] [--rounds N] [CHAPTER]

For each workload of each tests/speed/NN_name.c the contestants run one after the other, round after round (A B C A B C),
so that what disturbs the machine disturbs them all; a ratio is the median of the rounds' ratios. Writes DIR/speed.tsv,
and figures/results/NAME-speed.tsv for the table in the chapter; says which rows miss their target. The protocol is in
speed.h; NN_name.py, if there is one, is the peer PyTorch."""
import argparse
import glob
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SIZES = ("cache", "L2", "memory")            # a kernel's workload ends in one of these: where its arrays are
COLUMNS = "workload mode threads unit ours peer theirs ratio target".split()


def measure(command):
    """[nanoseconds, value, check]"""
    return [float(x) for x in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def agree(a, b, workload):
    tolerance = 1e-5 if size_of(workload) else 1e-9      # kernels compute in float, in another order
    return all(abs(x - y) <= tolerance * max(1, abs(y)) for x, y in zip(a[1:], b[1:]))


def size_of(workload):
    size = workload.rpartition("-")[2]
    return size if size in SIZES else ""


def met(target, ours, ratio):
    """Targets are written `ours<=25` or `ratio>=1`."""
    name, bound = target.split("=")[0][:-1], float(target.split("=")[1])
    value = {"ours": ours, "ratio": ratio}[name]
    return value <= bound if "<" in target else value >= bound


def race(program, script, rounds):
    """One row for each workload and peer."""
    listed = subprocess.run([program, "list"], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        workload, units, unit, target, *peers = line.split("\t")
        commands = {"ours": [program, workload, "ours"]}
        if os.path.exists(script):
            commands["PyTorch"] = [sys.executable, script, workload]
        commands.update({peer: [program, workload, peer] for peer in peers})
        times = {name: [] for name in commands}
        for _ in range(rounds):
            results = {name: measure(command) for name, command in commands.items()}
            for name, result in results.items():
                if not agree(result, results["ours"], workload):
                    sys.exit(f"{workload}: {name} computes {result[1:]}, we {results['ours'][1:]}")
                times[name].append(result[0])
        ours = statistics.median(times["ours"])
        for peer in commands:
            if peer != "ours":
                ratio = statistics.median(t / o for t, o in zip(times[peer], times["ours"]))
                yield {"workload": workload, "mode": size_of(workload) or "forward+backward", "threads": "1", "unit": unit, "ours": ours,
                       "peer": peer, "theirs": statistics.median(times[peer]), "ratio": ratio, "target": target,
                       "units": units}


def cells(row, columns):
    return "\t".join(f"{row[c]:.4g}" if isinstance(row[c], float) else str(row[c]) for c in columns) + "\n"


def machine():
    with open("/proc/cpuinfo") as file:
        return next((l.split(":")[1].strip() for l in file if l.startswith("model name")), "unknown")


def chapter_table(name, rows):
    """A line for each workload, a column for each contestant."""
    path = os.path.join(ROOT, "figures", "results", name + "-speed.tsv")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(f"# command: make speed; machine: {machine()}; threads 1\n")
        table = {}
        for row in rows:
            peer = row["peer"].lower().replace("-", "_")
            line = table.setdefault(row["workload"], {"workload": row["workload"], "units": row["units"], "ours": row["ours"]})
            line[peer] = row["theirs"]
            line[peer + "_ratio"] = row["ratio"]                 # how many times faster than the peer we are
            line["ours_over_" + peer] = 1 / row["ratio"]         # how many times slower
            line["ours_over_" + peer] = 1 / row["ratio"]
        columns = list(next(iter(table.values())))
        file.write("\t".join(columns) + "\n")
        for line in table.values():
            file.write(cells({c: line.get(c, "-") for c in columns}, columns))
    print("wrote " + os.path.relpath(path, ROOT))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("chapter", nargs="?", default="")
    options = parser.parse_args()
    rows = []
    print("\t".join(COLUMNS))
    for source in sorted(glob.glob(os.path.join(HERE, (options.chapter or "[0-9][0-9]") + "_*.c"))):
        name = os.path.basename(source)[:-2]
        mine = []
        for row in race(os.path.join(options.build, "speed", name), source[:-2] + ".py", options.rounds):
            print(cells(row, COLUMNS), end="", flush=True)
            mine.append(row)
        chapter_table(name.split("_", 1)[1], mine)
        rows += mine
    with open(os.path.join(options.build, "speed.tsv"), "w") as file:
        file.write("\t".join(COLUMNS) + "\n" + "".join(cells(row, COLUMNS) for row in rows))
    for row in rows:
        if not met(row["target"], row["ours"], row["ratio"]):
            print(f"below target: {row['workload']} against {row['peer']}: {row['ours']:.4g} {row['unit']}, "
                  f"ratio {row['ratio']:.3g}, wanted {row['target']}")


main()
