"""Checks of the source tree's shape: no file over 400 lines, every file opens with its job, the pure core stays pure, and no
two migrations share a number.

It leaves style to clippy and rustfmt.
"""

import pathlib
import subprocess
import sys

LONGEST = 400
# What would make the pure core do I/O, know a wire format, or depend on the moment it runs.
# A word with a dash at its end stands for every crate whose name begins so.
IMPURE = "tokio tokio- async- futures futures- sqlx sqlx- libsqlite3-sys tonic prost axum hyper reqwest rustls mio rand getrandom".split()


def sources():
    listed = subprocess.run(["git", "ls-files", "*.rs"], check=True, capture_output=True, text=True).stdout
    return [pathlib.Path(name) for name in listed.splitlines() if pathlib.Path(name).exists()]


def shape_faults(path):
    lines = path.read_text().splitlines()
    if len(lines) > LONGEST:
        yield f"{path}: {len(lines)} lines, more than {LONGEST}"
    if path.name == "mod.rs":
        yield f"{path}: a module's parent stands beside its folder, not in it"
    first = next((line for line in lines if not line.startswith("#!")), "")
    if not first.startswith("//! ") or len(first) < 10:
        yield f"{path}: does not open with `//!` and its job"


def purity_faults():
    tree = ["cargo", "tree", "--offline", "-p", "turnpike-access", "-e", "normal", "--prefix", "none", "-f", "{p}"]
    listed = subprocess.run(tree, check=True, capture_output=True, text=True).stdout
    for name in sorted({line.split()[0] for line in listed.splitlines() if line}):
        if any(name == word or (word.endswith("-") and name.startswith(word)) for word in IMPURE):
            yield f"turnpike-access depends on {name}, which does not belong in the pure core"


def numbering_faults():
    for folder in sorted(pathlib.Path("migrations").iterdir()):
        numbers = {}
        for path in sorted(folder.glob("*.sql")):
            number = path.name.split("_")[0]
            if number in numbers:
                yield f"{path}: {numbers[number]} has that number; take the next free one"
            numbers[number] = path.name


def main():
    faults = [fault for path in sources() for fault in shape_faults(path)]
    faults += [*purity_faults(), *numbering_faults()]
    print("\n".join(faults) if faults else f"layout: {len(sources())} files, all in shape")
    sys.exit(1 if faults else 0)


main()
