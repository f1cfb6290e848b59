"""Checks the NATS configuration of deploy/ with a real server: it is valid, edges can listen and cannot publish, and
the control plane can do no more than it must.

usage: tests/checks/nats_rights.py NATS-SERVER
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
PATIENCE = 30
# Who does what, and whether the server lets it happen.
TRIALS = [
    ("edge", "SUB turnpike.*.v1 1", True),
    ("edge", "PUB turnpike.events.v1 0\r\n", False),
    ("edge", "PUB turnpike.head.v1 0\r\n", False),
    ("edge", "PUB $JS.API.STREAM.DELETE.TURNPIKE_EVENTS 0\r\n", False),
    ("edge", "SUB $JS.API.> 1", False),
    ("edge", "PUB $O.TURNPIKE_STATES.M.c3RhdGU= 0\r\n", False),
    ("edge", "PUB $O.TURNPIKE_STATES.C.1 0\r\n", False),
    ("edge", "PUB $JS.API.STREAM.PURGE.OBJ_TURNPIKE_STATES 0\r\n", False),
    ("edge", "PUB $JS.API.STREAM.DELETE.OBJ_TURNPIKE_STATES 0\r\n", False),
    ("edge", "PUB $JS.API.CONSUMER.CREATE.OBJ_TURNPIKE_STATES 0\r\n", False),
    ("edge", "PUB $JS.API.CONSUMER.CREATE.TURNPIKE_EVENTS 0\r\n", False),
    ("edge", "PUB $JS.API.DIRECT.GET.OBJ_TURNPIKE_STATES 0\r\n", True),
    ("edge", "PUB $JS.API.DIRECT.GET.OBJ_TURNPIKE_STATES.$O.TURNPIKE_STATES.M.c3RhdGU= 0\r\n", True),
    ("edge", "PUB $JS.API.DIRECT.GET.TURNPIKE_EVENTS 0\r\n", True),
    ("control-plane", "PUB $O.TURNPIKE_STATES.C.1 0\r\n", True),
    ("control-plane", "PUB $JS.API.STREAM.PURGE.OBJ_TURNPIKE_STATES 0\r\n", True),
    ("control-plane", "PUB $JS.API.STREAM.PURGE.TURNPIKE_EVENTS 0\r\n", False),
    ("control-plane", "PUB $JS.API.STREAM.DELETE.OBJ_TURNPIKE_STATES 0\r\n", False),
    ("control-plane", "PUB turnpike.events.v1 0\r\n", True),
    ("control-plane", "PUB turnpike.head.v1 0\r\n", True),
    ("control-plane", "PUB $JS.API.STREAM.CREATE.TURNPIKE_EVENTS 0\r\n", True),
    ("control-plane", "PUB $JS.API.STREAM.DELETE.TURNPIKE_EVENTS 0\r\n", False),
    ("control-plane", "PUB $JS.API.STREAM.CREATE.OTHER 0\r\n", False),
]


def environment(store):
    met = {f"NATS_{place}_GATEWAY": f"nats://gateway:g@127.0.0.1:{port}" for place, port in (("HOME", 7), ("REGION", 8))}
    met |= {"NATS_GATEWAY": "127.0.0.1:7", "NATS_REGION": "us"}
    route = {f"NATS_ROUTE_{number}": f"nats://route:r@127.0.0.1:{number}" for number in (1, 2, 3)}
    names = ("CONTROL_PLANE", "EDGE", "SYSTEM", "ROUTE", "GATEWAY")
    return {**os.environ, **route, **met, **{f"NATS_{name}_PASSWORD": f"p{name}" for name in names}, "NATS_STORE": store, "NATS_NAME": "n"}


def answer(port, user, line):
    """What the server says to one line of its protocol."""
    password = "pEDGE" if user == "edge" else "pCONTROL_PLANE"
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        login = json.dumps({"user": user, "pass": password, "verbose": False, "pedantic": False})
        connection.sendall(f"CONNECT {login}\r\n{line}\r\nPING\r\n".encode())
        said = b""
        while b"PONG" not in said:
            more = connection.recv(65536)
            if not more:
                break
            said += more
        return said.decode()


def await_server(port, server):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("nats-server does not start with deploy/nats/single.conf")


def faults(port):
    for user, line, allowed in TRIALS:
        said = answer(port, user, line)
        if "PONG" not in said or ("Permissions Violation" in said) == allowed:
            yield f"{user}, {line.strip()!r}: expected to be {'allowed' if allowed else 'refused'}; the server said {said!r}"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main(program):
    with tempfile.TemporaryDirectory() as store:
        env, port = environment(store), free_port()
        # In the container the certificates are there; here their places are taken out, and nothing else.
        for path in sorted((DEPLOY / "nats").glob("*.conf")):
            lines = [line for line in path.read_text().splitlines() if "_file: /etc" not in line and "verify:" not in line]
            (pathlib.Path(store) / path.name).write_text("\n".join(lines))
        for shape in ("cluster", "home", "region"):
            subprocess.run([program, "-t", "-c", pathlib.Path(store) / f"{shape}.conf"], check=True, env=env)
        command = [program, "-c", DEPLOY / "nats/single.conf", "--port", str(port)]
        server = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
        try:
            await_server(port, server)
            found = list(faults(port))
        finally:
            server.terminate()
            server.wait()
    print("\n".join(found) if found else f"nats: {len(TRIALS)} rights are as they should be")
    sys.exit(1 if found else 0)


main(*sys.argv[1:])
