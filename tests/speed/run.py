#!/usr/bin/python3
"""Times the library against its peers: run.py [--build DIR] [--rounds N] [CHAPTER]

For each workload of each tests/speed/NN_name.c the contestants run one after the other, round after round (A B C A B C),
so that what disturbs the machine disturbs them all; a ratio is the median of the rounds' ratios. Writes DIR/speed.tsv,
and figures/results/NAME-speed.tsv for the table in the chapter; says which rows miss their target. The protocol is in
speed.h; NN_name.py, if there is one, is the peer PyTorch. A workload NAME-SIZE-2 runs in two threads. A program whose list
says `race ...` is called with these words, and prints rows itself. One whose list says `serve` stays, like its script, while
a workload is raced, and PyTorch comes with each library for its matrix products that is installed, and for Adam with a malloc
that keeps its memory: this gains most there."""
import argparse
import glob
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SIZES = ("cache", "L2", "memory")            # a kernel's workload ends in one of these: where its arrays are
BLAS = {"OpenBLAS": "openblas-openmp/libblas.so.3", "BLIS": "blis-openmp/libblas.so.3"}
KEEP = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "33554432"}
COLUMNS = "workload mode threads unit ours peer theirs ratio target".split()


class Contestant:
    """A command that is run for each measurement, or one that stays and answers a line for each line (a workload)."""

    def __init__(self, command, stays=False, **environment):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | environment) if stays else None

    def leave(self):
        if self.process is not None:
            self.process.communicate()

    def measure(self, workload, mode):
        """[nanoseconds, value, check]"""
        if self.process is None:
            answer = subprocess.run(self.command + [workload] + mode, check=True, capture_output=True, text=True).stdout
        else:
            print(workload, file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        return [float(x) for x in answer.split()]


def agree(a, b, workload):
    tolerance = 1e-5                                     # they compute in float, in another order
    return all(abs(x - y) <= tolerance * max(1, abs(y)) for x, y in zip(a[1:], b[1:]))


def size_of(workload):
    return next((part for part in workload.split("-")[1:] if part in SIZES), "")


def threads_of(workload):
    return "2" if workload.endswith("-2") else "1"


def met(target, ours, ratio):
    """Targets are written `ours<=25` or `ratio>=1`."""
    name, bound = target.split("=")[0][:-1], float(target.split("=")[1])
    value = {"ours": ours, "ratio": ratio}[name]
    return value <= bound if "<" in target else value >= bound


def pytorches(script, workload):
    """PyTorch with each library, by name."""
    found = {name: path for name, file in BLAS.items() for path in glob.glob("/usr/lib/*/" + file)}
    for name, path in found.items():
        for keep in [{}] + [KEEP] * workload.startswith("adam"):
            yield (f"PyTorch-{name}" + "-malloc" * bool(keep),
                   (Contestant([sys.executable, script], True, LD_PRELOAD=path, **keep), []))


def race(program, script, rounds):
    """One row for each workload and peer."""
    listed = subprocess.run([program, "list"], check=True, capture_output=True, text=True).stdout
    serve = listed.startswith("serve\n")
    pytorch = None
    if os.path.exists(script) and not serve:
        with open(script) as file:
            stays = '"serve"' in file.read()
        pytorch = Contestant([sys.executable, script] + ["serve"] * stays, stays)
    for line in listed.splitlines()[serve:]:
        if line.startswith("race "):                     # it races by itself, and prints rows
            own = subprocess.Popen([program] + line.split(), stdout=subprocess.PIPE, text=True)
            for row in own.stdout:
                row = dict(zip(COLUMNS, row.rstrip("\n").split("\t")), units="-")
                yield row | {name: float(row[name]) for name in ("ours", "theirs", "ratio")}
            if own.wait() != 0:
                sys.exit(f"{program} {line}: failed")
            continue
        workload, units, unit, target, *peers = line.split("\t")
        commands = {"ours": (Contestant([program] + ["serve"] * serve, serve), ["ours"])}
        if serve:
            commands.update(pytorches(script, workload))
        if pytorch and size_of(workload) != "memory":    # there a copy is the measure
            commands["PyTorch"] = (pytorch, [])
        commands.update({peer: (Contestant([program]), [peer]) for peer in peers})
        times = {name: [] for name in commands}
        for _ in range(rounds):
            results = {name: c.measure(workload, mode) for name, (c, mode) in commands.items()}
            for name, result in results.items():
                if not agree(result, results["ours"], workload):
                    sys.exit(f"{workload}: {name} computes {result[1:]}, we {results['ours'][1:]}")
                times[name].append(result[0])
        for contestant, _ in commands.values() if serve else ():
            contestant.leave()
        ours = statistics.median(times["ours"])
        for peer in commands:
            if peer != "ours":
                ratio = statistics.median(t / o for t, o in zip(times[peer], times["ours"]))
                yield {"workload": workload, "mode": size_of(workload) or "forward+backward",
                       "threads": threads_of(workload), "unit": unit, "ours": ours,
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
        file.write(f"# command: make speed; machine: {machine()}\n")
        table = {}
        for row in rows:
            peer = row["peer"].lower().replace("-", "_")
            line = table.setdefault(row["workload"], {"workload": row["workload"], "units": row["units"], "ours": row["ours"]})
            line[peer] = row["theirs"]
            line[peer + "_ratio"] = row["ratio"]                 # how many times faster than the peer we are
            line["ours_over_" + peer] = 1 / row["ratio"]         # how many times slower
            line["least_ratio"] = min(line.get("least_ratio", row["ratio"]), row["ratio"])
        columns = list(dict.fromkeys(column for line in table.values() for column in line))
        for line in table.values():
            for column in columns:
                line.setdefault(column, "-")
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
        if mine[0]["units"] != "-":                      # the others have their own tables
            chapter_table(name.split("_", 1)[1], mine)
        rows += mine
    with open(os.path.join(options.build, "speed.tsv"), "w") as file:
        file.write("\t".join(COLUMNS) + "\n" + "".join(cells(row, COLUMNS) for row in rows))
    for row in rows:
        if not met(row["target"], row["ours"], row["ratio"]):
            print(f"below target: {row['workload']} against {row['peer']}: {row['ours']:.4g} {row['unit']}, "
                  f"ratio {row['ratio']:.3g}, wanted {row['target']}")


main()
