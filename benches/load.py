#!/usr/bin/env python3
"""Answers from memory against the same bytes as files: `just bench-load`.

Starts the sandbox and nginx side by side and asks both with wrk in turn, so that only the ratios of one run count. nginx
serves the bodies that the controller gave (`sendfile`), and the bytes that it gave for `Accept-Encoding: gzip`
(`gzip_static`). Each pair is repeated, and the median of its ratios is told. Needs wrk and nginx; Linux.

    benches/load.py [--binary target/dist/controller] [--rounds 3] [--seconds 1]
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from ports import free_ports

# Prints what the table needs, in microseconds.
REPORT = """
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("REPORT %f %f %f %f %d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""

NGINX = """
worker_processes {workers};
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log /dev/null;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    default_type application/json;
    gzip_static on;
    gzip_vary on;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    server {{ listen 127.0.0.1:{port} reuseport backlog=1024; root {root}/files; }}
}}
"""

PATHS = ["/services", "/pods"]


def get(url, coding):
    request = urllib.request.Request(url, headers={"Accept-Encoding": coding})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def wait_for(url):
    for _ in range(300):
        with contextlib.suppress(OSError):
            return get(url, "identity")
        time.sleep(0.1)
    sys.exit(f"{url} does not answer")


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def controller(binary, services, pods, ttl_ms):
    port, readiness, metrics = free_ports(3)
    settings = {"MEMO__LIST_TTL_MS": ttl_ms, "MEMO__GET_TTL_MS": ttl_ms, "MEMO__MAX_BYTES": 1 << 28,
                "THROTTLE__UNLIMITED": "true", "LIST__PAGE_SIZE": 5000,
                "SERVER__PORT": port, "SERVER__READINESS_PORT": readiness,
                "SERVER__METRICS_ADDR": f"127.0.0.1:{metrics}"}
    environment = os.environ | {f"AENV_CONTROLLER__{key}": str(value) for key, value in settings.items()}
    command = [binary, "sandbox", "--services", str(services), "--pods", str(pods)]
    with running(command, env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/services")
        yield url, process.pid


@contextlib.contextmanager
def nginx(root, bodies):
    files = root / "files"
    files.mkdir()
    for path, (plain, gzip) in bodies.items():
        (files / path.strip("/")).write_bytes(plain)
        (files / (path.strip("/") + ".gz")).write_bytes(gzip)
    (port,) = free_ports(1)
    (root / "nginx.conf").write_text(NGINX.format(root=root, port=port, workers=os.cpu_count()))
    # Its workers do not read the files of root's folders otherwise.
    command = ["nginx", "-c", str(root / "nginx.conf"), "-g", "daemon off;" + ("user root;" if os.geteuid() == 0 else "")]
    with running(command) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/services")
        yield url, process.pid


def cpu_seconds(pid):
    """What a process and its children have used."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for one in [pid, *children]:
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def load(server, path, coding, connections, fresh, seconds, script):
    url, pid = server
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, "-H", f"Accept-Encoding: {coding}"]
    if fresh:
        command += ["-H", "Connection: close"]
    # So that it is remembered: wrk counts the time that a stall would have taken of others, too.
    get(url + path, coding)
    before = cpu_seconds(pid)
    output = subprocess.run([*command, url + path], check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(pid) - before
    line = next(line for line in output.splitlines() if line.startswith("REPORT"))
    rate, p50, p99, p999, errors = map(float, line.split()[1:])
    # With a new connection for each request, wrk counts the end of each as an error of reading.
    if errors and not fresh:
        sys.exit(f"{url}{path}: {errors:.0f} errors")
    return {"rate": rate, "p50": p50, "p99": p99, "p999": p999, "cpu": used / (rate * seconds) * 1e6 if rate else 0}


def compare(ours, theirs, rounds, *what):
    """The medians of both, and of the ratios of each pair."""
    pairs = []
    for number in range(rounds):
        order = [ours, theirs] if number % 2 == 0 else [theirs, ours]
        results = {id(server): load(server, *what) for server in order}
        pairs.append((results[id(ours)], results[id(theirs)]))
    median = lambda pick: statistics.median(map(pick, pairs))
    return {
        "ratio": median(lambda pair: pair[0]["rate"] / pair[1]["rate"]),
        "p99": median(lambda pair: pair[0]["p99"] / pair[1]["p99"]),
        **{f"{who}_{key}": median(lambda pair: pair[at][key])
           for at, who in enumerate(["ours", "theirs"]) for key in pairs[0][0]},
    }


HEAD = ("| path | coding | connections | lists | requests/s | ratio | p50 / p99 / p99.9 ms | nginx's | p99 ratio | CPU µs | nginx's |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")


def row(path, coding, connections, fresh, lists, found):
    times = lambda who: " / ".join(f"{found[f'{who}_{key}'] / 1000:.2f}" for key in ["p50", "p99", "p999"])
    return (f"| `{path}` | {coding} | {connections} {'new' if fresh else 'kept'} | {lists} | {found['ours_rate']:,.0f} "
            f"| **{found['ratio']:.2f}** | {times('ours')} | {times('theirs')} | {found['p99']:.2f} "
            f"| {found['ours_cpu']:.0f} | {found['theirs_cpu']:.0f} |")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--binary", default="target/dist/controller")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=1)
    options = options.parse_args()
    for tool in ["wrk", "nginx", options.binary]:
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = pathlib.Path(folder)
        root.chmod(0o755)
        script = str(root / "report.lua")
        pathlib.Path(script).write_text(REPORT)
        kept = stack.enter_context(controller(options.binary, 300, 2000, 3_600_000))
        bodies = {path: (get(kept[0] + path, "identity"), get(kept[0] + path, "gzip")) for path in PATHS}
        files = stack.enter_context(nginx(root, bodies))
        for path, (plain, gzip) in bodies.items():
            print(f"{path}: {len(plain):,} bytes, {len(gzip):,} with gzip")
        print(f"\n{HEAD}")

        def show(ours, lists, path, coding, connections, fresh, rounds):
            what = (path, coding, connections, fresh, options.seconds, script)
            found = compare(ours, files, rounds, *what)
            print(row(path, coding, connections, fresh, lists, found), flush=True)

        for path in PATHS:
            for coding in ["gzip", "identity"]:
                show(kept, "kept", path, coding, 16, False, options.rounds)
                show(kept, "kept", path, coding, 256, False, 1)
                show(kept, "kept", path, coding, 16, True, 1)
        with controller(options.binary, 300, 2000, 2000) as read_again:
            for path in PATHS:
                for coding in ["gzip", "identity"]:
                    # Long enough for the lists to be read in it.
                    what = (path, coding, 16, False, max(2, options.seconds), script)
                    found = compare(read_again, files, options.rounds, *what)
                    print(row(path, coding, 16, False, "every 2 s", found), flush=True)
        with (controller(options.binary, 1, 10, 3_600_000) as few,
              controller(options.binary, 1, 50_000, 3_600_000) as many):
            names = []
            for url, _ in (few, many):
                rows = json.loads(get(f"{url}/pods", "identity"))["data"]
                names.append(f"/pods/{rows[len(rows) * 2 // 3]['id']}")
            rates = [[load(server, name, "identity", 16, False, options.seconds, script)["rate"]
                      for server, name in zip((many, few), reversed(names))] for _ in range(options.rounds)]
            ratio = statistics.median(many / few for many, few in rates)
            print(f"\none pod by name among 50,000, against 10: {ratio:.2f}")


if __name__ == "__main__":
    main()
