"""A light stand-in for `cargo deny check licenses bans sources`, which takes long to build: it reads deny.toml and
judges what `cargo metadata` tells. Advisories are not looked up: that needs a database from outside.
"""

import json
import re
import subprocess
import sys
import tomllib


def permitted(expression, allowed):
    """Whether an SPDX expression can be satisfied; an AND binds closer than an OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        verdict = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            verdict = both() or verdict
        return verdict

    def both():
        verdict = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            verdict = one() and verdict
        return verdict

    def one():
        token = tokens.pop(0)
        if token == "(":
            verdict = either()
            tokens.pop(0)
            return verdict
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token.removesuffix("+") in allowed

    return either()


def faults_of(package, rules):
    name = f"{package['name']} {package['version']}"
    allowed = set(rules["licenses"]["allow"])
    for exception in rules["licenses"].get("exceptions", []):
        if exception["crate"] == package["name"]:
            allowed |= set(exception["allow"])
    if not package["license"]:
        yield f"{name}: names no licence"
    elif not permitted(package["license"], allowed):
        yield f"{name}: licence {package['license']} is not on the list"
    for ban in rules["bans"]["deny"]:
        if ban["crate"] == package["name"]:
            yield f"{name}: banned: {ban['reason']}"
    source = package["source"]
    if source and not source.startswith(("registry+", "sparse+")):
        yield f"{name}: does not come from the registry but from {source.split('?')[0]}"


def main():
    with open("deny.toml", "rb") as file:
        rules = tomllib.load(file)
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    packages = json.loads(told)["packages"]
    faults = [fault for package in packages for fault in faults_of(package, rules)]
    print("\n".join(faults) if faults else f"dependencies: {len(packages)} packages, all permitted")
    sys.exit(1 if faults else 0)


main()
