#!/usr/bin/env python3
"""Soak: three replicas under mixed load, random faults and rolling restarts: `just soak`.

    benches/soak.py [--seconds 600] [--seed 1] [--binary target/release/controller]

Starts the sandbox's API server and three replicas in front of it, all on loopback. Callers read, create, change and delete
through whichever replica answers, and ask again until they know how a write has ended, with the same `Idempotency-Key` or the
same body. Meanwhile the API server is slow, overloaded, silent or gone for moments, and two of the replicas are restarted again
and again, by SIGTERM or SIGKILL. The third runs to the end: its memory and its open files are what the slopes are of.

Ends with 1 if an object is there that nobody was promised or a promised one is missing, if a caller was answered with 500 or
with what is no JSON, or if memory or open files grew. Only the standard library is used; Linux.
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from ports import free_ports

NAMESPACE = "aenv-sandbox"
REPLICAS = 3
KINDS = {
    "deployments": "/apis/apps/v1", "services": "/api/v1", "pods": "/api/v1", "persistentvolumeclaims": "/api/v1",
}
# Statuses after which a caller knows nothing and asks again.
OPEN = {500, 502, 503, 504}


def ask(port, method, path, body=None, headers=None, timeout=40):
    """Status and JSON, over a connection of its own. OSError or HTTPException if there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"content-type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or "null")
    finally:
        connection.close()


class Replica:
    """One replica, which keeps its ports when it is started again."""

    def __init__(self, soak, number):
        self.soak, self.number = soak, number
        self.port, self.health, self.metrics = free_ports(3)
        self.start()

    def start(self):
        command = [
            self.soak.binary, "--kubeconfig", self.soak.kubeconfig, "--namespace", NAMESPACE,
            "--server-port", str(self.port), "--readiness-port", str(self.health),
            "--metrics-addr", f"127.0.0.1:{self.metrics}",
        ]
        environment = {
            "HOME": self.soak.folder, "AENV_CONTROLLER__SERVER__BIND": "127.0.0.1",
            "AENV_CONTROLLER__THROTTLE__QPS": "200", "AENV_CONTROLLER__THROTTLE__BURST": "200",
        }
        self.log = open(os.path.join(self.soak.folder, f"replica-{self.number}.log"), "ab")
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log)
        until(self.is_ready, 30, f"replica {self.number} is ready")

    def is_ready(self):
        try:
            # Plain text, which is no JSON.
            connection = http.client.HTTPConnection("127.0.0.1", self.health, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def end(self, kill=False):
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        code = self.process.wait(60)
        self.log.close()
        if not kill and code != 0:
            self.soak.fail(f"replica {self.number} ended with {code}")

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def until(holds, seconds, what):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Soak:
    def __init__(self, options, folder):
        self.binary, self.folder, self.seconds = os.path.abspath(options.binary), folder, options.seconds
        self.seed = options.seed
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.statuses, self.failures = collections.Counter(), []
        self.promised, self.writes = set(), collections.Counter()
        self.api_port, *own = free_ports(4)
        self.sandbox = subprocess.Popen(
            [
                self.binary, "sandbox", "--services", "40", "--pods", "300", "--api-port", str(self.api_port),
                "--server-port", str(own[0]), "--readiness-port", str(own[1]), "--metrics-addr", f"127.0.0.1:{own[2]}",
            ],
            env={"HOME": folder, "AENV_CONTROLLER__SERVER__BIND": "127.0.0.1"},
            stdout=subprocess.DEVNULL, stderr=open(os.path.join(folder, "sandbox.log"), "wb"),
        )
        until(self.has_api, 30, "the sandbox answers")
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        with open(self.kubeconfig, "w") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "soak",
                "clusters": [{"name": "soak", "cluster": {"server": f"http://127.0.0.1:{self.api_port}"}}],
                "users": [{"name": "soak", "user": {"token": "soak"}}],
                "contexts": [{"name": "soak", "context": {"cluster": "soak", "user": "soak", "namespace": NAMESPACE}}],
            }, file)
        self.before = self.stock()
        self.replicas = [Replica(self, number) for number in range(REPLICAS)]

    def has_api(self):
        try:
            return ask(self.api_port, "GET", "/sandbox/calls")[0] == 200
        except OSError:
            return False

    def fail(self, why):
        with self.lock:
            if len(self.failures) < 50:
                self.failures.append(why)
        print(f"  ! {why}", flush=True)

    def stock(self):
        """What is in the namespace, as `pods/<name>`."""
        names = set()
        for kind, root in KINDS.items():
            status, found = ask(self.api_port, "GET", f"{root}/namespaces/{NAMESPACE}/{kind}")
            assert status == 200, found
            items = [item["metadata"] for item in found["items"]]
            names |= {f"{kind}/{item['name']}" for item in items if "deletionTimestamp" not in item}
        return names

    # Callers

    def ask(self, chance, method, path, body=None, headers=None):
        """Asks any replica; another one if the first does not listen. `None`: nobody knows what has happened."""
        replica = chance.choice(self.replicas)
        try:
            status, answer = ask(replica.port, method, path, body, headers)
        except json.JSONDecodeError as error:
            return self.fail(f"{method} {path}: no JSON: {error}")
        except (OSError, http.client.HTTPException):
            with self.lock:
                self.statuses["no answer"] += 1
            time.sleep(0.05)
            return None
        with self.lock:
            self.statuses[status] += 1
        if status == 500:
            self.fail(f"{method} {path}: {answer}")
        return status, answer

    def ask_until_known(self, chance, method, path, body=None, headers=None, done_before=None):
        """The first answer that says how it has ended. `done_before`: the status that says so of an earlier attempt whose
        answer was lost; it is no answer to the first one."""
        asked = 0
        while True:
            told = self.ask(chance, method, path, body, headers)
            asked += 1
            if told is not None and told[0] not in OPEN:
                if told[0] == done_before and asked > 1:
                    return 200, told[1]
                return told
            with self.lock:
                self.writes["attempt again"] += 1
            time.sleep(chance.uniform(0.05, 0.5))

    def read(self, chance):
        paths = ["/services", "/pods", "/pods?envName=weather", "/services?envName=weather", "/env-instance/*/list"]
        while not self.stop.is_set():
            path = chance.choice(paths)
            if chance.random() < 0.3:
                path = f"/pods/nobody-{chance.randrange(1000)}"
            headers = {"cache-control": "no-cache"} if chance.random() < 0.05 else {}
            told = self.ask(chance, "GET", path, headers=headers)
            if told is not None and told[0] == 200 and told[1]["data"] is None:
                self.fail(f"GET {path}: 200 without data")
            time.sleep(chance.uniform(0, 0.05))

    def hang_up(self, chance):
        while not self.stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", chance.choice(self.replicas).port), 5) as caller:
                    caller.sendall(f"GET /pods/gone-{chance.randrange(10**9)} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                    time.sleep(0.002)
            except OSError:
                pass
            time.sleep(chance.uniform(0, 0.1))

    def write_pods(self, chance):
        mine = []
        while not self.stop.is_set():
            if len(mine) < 5 or (len(mine) < 15 and chance.random() < 0.5):
                body = environment({"ttl": "4h", "owner": "soak"})
                key = {"idempotency-key": f"soak-{chance.getrandbits(64):x}"}
                status, answer = self.ask_until_known(chance, "POST", "/pods", body, key)
                if status == 201:
                    mine.append(answer["data"]["id"])
                    self.promise({f"pods/{mine[-1]}"}, "create")
                else:
                    self.fail(f"POST /pods: {status} {answer}")
            else:
                name = mine.pop(chance.randrange(len(mine)))
                self.delete(chance, f"/pods/{name}", {f"pods/{name}"})

    def write_services(self, chance):
        mine = {}
        while not self.stop.is_set():
            if len(mine) < 3 or (len(mine) < 8 and chance.random() < 0.4):
                name = f"soak-{chance.getrandbits(48):012x}"
                made = {f"deployments/{name}", f"services/{name}"}
                settings = {"serviceName": name}
                if chance.random() < 0.3:
                    settings |= {"storageSize": "1Gi", "pvcName": f"{name}-data"}
                    made.add(f"persistentvolumeclaims/{name}-data")
                status, answer = self.ask_until_known(chance, "POST", "/services", environment(settings), done_before=409)
                if status not in (200, 201):
                    self.fail(f"POST /services {name}: {status} {answer}")
                    continue
                mine[name] = made
                self.promise(made, "create")
            elif chance.random() < 0.4:
                name, replicas = chance.choice(list(mine)), chance.randrange(4)
                if any(kind.startswith("persistentvolumeclaims") for kind in mine[name]):
                    replicas = 1
                status, answer = self.ask_until_known(chance, "PUT", f"/services/{name}", {"replicas": replicas})
                if status == 200:
                    self.writes["update"] += 1
                elif status != 409:
                    self.fail(f"PUT /services/{name}: {status} {answer}")
            else:
                name = chance.choice(list(mine))
                self.delete(chance, f"/services/{name}?deleteStorage=true", mine.pop(name))

    def promise(self, made, verb):
        with self.lock:
            self.promised |= made
            self.writes[verb] += 1

    def delete(self, chance, path, gone):
        status, answer = self.ask_until_known(chance, "DELETE", path, done_before=404)
        if status != 200:
            return self.fail(f"DELETE {path}: {status} {answer}")
        with self.lock:
            self.promised -= gone
            self.writes["delete"] += 1

    # Trouble

    def set_faults(self, faults):
        status, answer = ask(self.api_port, "PUT", "/sandbox/faults", faults)
        assert status == 200, (faults, answer)

    def trouble(self, chance):
        verbs = ["get", "list", "create", "update", "delete", None]
        rule = lambda **what: {"rules": [{"verb": chance.choice(verbs), "times": chance.randrange(1, 20), **what}]}
        kinds = [
            lambda: {"latency_ms": chance.randrange(5, 200)},
            lambda: {"qps": chance.randrange(5, 40)},
            lambda: rule(status=chance.choice([429, 500, 503, 504]), after=chance.random() < 0.3),
            lambda: rule(cut=True, after=chance.random() < 0.5),
            lambda: {"hang": True},
            lambda: {"outage": True},
        ]
        while not self.stop.wait(chance.uniform(0.5, 4)):
            self.set_faults(chance.choice(kinds)())
            self.stop.wait(chance.choice([0.3, 1, 2, 8]))
            self.set_faults({})

    def roll(self, chance):
        while not self.stop.wait(chance.uniform(5, 15)):
            replica = self.replicas[chance.randrange(1, REPLICAS)]
            replica.end(kill=chance.random() < 0.4)
            self.writes["restart"] += 1
            replica.start()

    # The whole

    def run(self):
        jobs = [self.read] * 6 + [self.write_pods] * 4 + [self.write_services] * 4
        jobs += [self.hang_up, self.trouble, self.roll]
        threads = []
        for number, job in enumerate(jobs):
            threads.append(threading.Thread(target=self.guarded, args=(job, random.Random(f"{self.seed} {number}"))))
            threads[-1].start()
        samples, began = [], time.monotonic()
        while time.monotonic() - began < self.seconds:
            time.sleep(1)
            steady = self.replicas[0]
            samples.append((time.monotonic() - began, steady.memory()[0], steady.files()))
            if len(samples) % 30 == 0:
                print(f"  {samples[-1][0]:5.0f} s: {samples[-1][1]:.1f} MB, {samples[-1][2]} files", flush=True)
        self.stop.set()
        for thread in threads:
            thread.join()
        self.set_faults({})
        self.report(samples)

    def guarded(self, job, chance):
        try:
            job(chance)
        except Exception as error:  # A thread that ends early would hide what it should have found.
            self.fail(f"{job.__name__}: {error!r}")

    def report(self, samples):
        peak = self.replicas[0].memory()[1]
        idle = [(replica.number, replica.files()) for replica in self.replicas]
        # What is undone is undone when the replicas end.
        for replica in self.replicas:
            replica.end()
        stock = self.stock()
        for name in sorted(stock - self.before - self.promised):
            self.fail(f"left behind: {name}")
        for name in sorted((self.promised | self.before) - stock):
            self.fail(f"missing: {name}")
        print("writes: " + ", ".join(f"{count} {verb}s" for verb, count in sorted(self.writes.items())))
        print("answers: " + ", ".join(f"{count} × {status}" for status, count in self.statuses.most_common()))
        print(f"objects: {len(stock)}, of which {len(self.promised)} were promised and {len(self.before)} were there before")
        # The first third is for warming up.
        steady = samples[len(samples) // 3:]
        for column, unit in ((1, "MB"), (2, "files")):
            times, values = [sample[0] for sample in steady], [sample[column] for sample in steady]
            slope = statistics.linear_regression(times, values).slope * 60
            halves = [statistics.median(values[: len(values) // 2]), statistics.median(values[len(values) // 2:])]
            print(f"{unit}: {slope:+.2f} a minute; median {halves[0]:.1f}, then {halves[1]:.1f}")
            if halves[1] > halves[0] * 1.25 + 4:
                self.fail(f"{unit} grow")
        print(f"peak: {peak:.0f} MB; open files without load, by replica: {dict(idle)}")
        print("nothing left behind, nothing missing, nothing grows" if not self.failures else f"{len(self.failures)} failures")

    def close(self):
        self.stop.set()
        for process in [self.sandbox, *(replica.process for replica in getattr(self, "replicas", []))]:
            if process.poll() is None:
                process.kill()
                process.wait()


def environment(settings):
    return {
        "name": "tides", "version": "3.4", "deployConfig": settings,
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary", default="target/release/controller")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        soak = Soak(options, folder)
        try:
            soak.run()
        finally:
            soak.close()
        if soak.failures:
            print(f"replica 0 last said:\n{open(os.path.join(folder, 'replica-0.log')).read()[-2000:]}")
    sys.exit(bool(soak.failures))


if __name__ == "__main__":
    main()
