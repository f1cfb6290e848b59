"""Checks of deploy/ and README.md without running them: the compose file hangs together and names no secret, every
setting named anywhere exists in a binary's --help, and every test that the README points to exists.

Takes the binaries from TURNPIKE_TEST_BIN, else target/ci. What NATS makes of its configuration is nats_rights.py's.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = pathlib.Path(os.environ.get("TURNPIKE_TEST_BIN", ROOT / "target/ci"))
# Services of the production shape, as the README promises it.
SERVICES = {"postgres", "nats-1", "nats-2", "nats-3", "migrate", "control-plane", "otel-collector"}
SERVICES |= {f"edge-{region}-{number}" for region in ("eu", "us") for number in (1, 2)}
# What is written like a setting and is none: the names of stream and bucket, and variables of the tests.
NO_SETTINGS = {"TURNPIKE_EVENTS", "TURNPIKE_STATES", "TURNPIKE_TEST_BIN", "TURNPIKE_SIMULATION_SEEDS"}


def known_settings():
    """Every environment variable that any --help names."""
    known = set()
    for command in ["turnpike"], ["turnpike", "dev"], ["turnpike", "bootstrap"], ["turnpike-edge"], \
            ["turnpike-control-plane"], ["turnpike-control-plane", "migrate"]:
        asked = [BIN / command[0], *command[1:], "--help"]
        told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        known |= set(re.findall(r"\[env: (TURNPIKE_\w+)", told))
    return known


def setting_faults():
    known = known_settings()
    for path in [ROOT / "README.md", *sorted(path for path in DEPLOY.rglob("*") if path.is_file())]:
        named = set(re.findall(r"\bTURNPIKE_[A-Z_]+\b", path.read_text())) - NO_SETTINGS
        for name in sorted(named - known):
            yield f"{path.relative_to(ROOT)}: no program has a setting {name}"


def compose_faults():
    text = (DEPLOY / "compose.yaml").read_text()
    compose = yaml.safe_load(text)
    services = compose["services"]
    if set(services) != SERVICES:
        yield f"compose.yaml: services differ from the production shape: {sorted(set(services) ^ SERVICES)}"
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            if other not in services:
                yield f"compose.yaml: {name} depends on {other}, which is not there"
        for network in service["networks"]:
            if network not in compose["networks"]:
                yield f"compose.yaml: {name} is in the network {network}, which is not there"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and not (DEPLOY / source).exists():
                yield f"compose.yaml: {name} mounts {source}, which is not there"
            if re.fullmatch(r"[\w-]+", source) and source not in compose["volumes"]:
                yield f"compose.yaml: {name} mounts the volume {source}, which is not there"
    yield from secret_faults(text)


def secret_faults(text):
    """Compose must refuse to start without a value, so that there is never a password that everybody knows."""
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", text):
        if not rest.startswith(":?"):
            yield f"compose.yaml: ${{{name}{rest}}} does not insist on a value"
    asked = set(re.findall(r"\$\{(\w+)", text))
    lines = [line for line in (DEPLOY / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    offered = dict(line.split("=", 1) for line in lines)
    for name in sorted(asked ^ set(offered)):
        yield f".env.example and compose.yaml do not both have {name}"
    for name, value in offered.items():
        if value and name != "IMAGE":
            yield f".env.example: {name} has a value"


def readme_faults():
    text = (ROOT / "README.md").read_text()
    list_files = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs"]
    listed = subprocess.run(list_files, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    tests = "\n".join((ROOT / path).read_text() for path in listed.splitlines() if (ROOT / path).exists())
    for name in re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", text):
        if f"fn {name}(" not in tests:
            yield f"README.md: there is no test {name}"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (ROOT / target).exists():
            yield f"README.md: there is no {target}"


def metric_faults():
    """Rules and dashboards speak of metrics that exist, under the names that Prometheus gives them."""
    source = (ROOT / "shared/runtime/src/telemetry/metrics.rs").read_text()
    known = {name.replace(".", "_") for name in re.findall(r'"((?:turnpike|gen_ai|http)\.[\w.]+)"', source)}
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    panels = json.loads((DEPLOY / "grafana/turnpike.json").read_text())["panels"]
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in asked:
        for name in re.findall(r"\b(?:turnpike|gen_ai|http)_\w+(?=[\[{ )]|$)", re.sub(r"by \([^)]*\)|\{[^}]*\}", "", expression)):
            if re.sub(r"(_seconds)?(_bucket|_sum|_count|_total)?$", "", name) not in known:
                yield f"deploy: there is no metric {name}"


def main():
    yaml.safe_load((DEPLOY / "otel-collector.yaml").read_text())
    faults = [*compose_faults(), *setting_faults(), *readme_faults(), *metric_faults()]
    print("\n".join(faults) if faults else "deploy: everything named exists")
    sys.exit(1 if faults else 0)


main()
