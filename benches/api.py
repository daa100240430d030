#!/usr/bin/env python3
"""API server cost of a list: this controller against a bare client that pages through JSON.

    KUBEBUILDER_ASSETS=<folder of etcd and kube-apiserver> benches/api.py [--pods N ...] [--services N ...]

Starts etcd and an API server on loopback, fills a namespace with pods of some 15 kB of JSON and with services (a Deployment
and a Service each), and reads all of them in turns with both: 2,000 pods and 1,000 services unless told otherwise, several
sizes of each one after the other. Prints, for each and as ratios of one run: CPU of the API server, bytes and calls that it
answered, seats that API Priority and Fairness gave, and time; by how much each has grown from one size to the next; and the
controller's peak memory. The controller is target/release/controller, or the one that $CONTROLLER names. Only the standard
library is used.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from ports import free_ports

NAMESPACE = "aenv-sandbox"
READERS_GROUP = "readers"
ROUNDS = 5
TICKS = os.sysconf("SC_CLK_TCK")
TLS = ssl._create_unverified_context()


class Bench:
    def __init__(self, assets, folder):
        self.folder, self.processes = folder, []
        etcd, peer, self.port = free_ports(3)
        self.start(
            "etcd", os.path.join(assets, "etcd"), "--data-dir", os.path.join(folder, "data"), "--unsafe-no-fsync",
            f"--quota-backend-bytes={8 << 30}",
            "--listen-client-urls", f"http://127.0.0.1:{etcd}", "--advertise-client-urls", f"http://127.0.0.1:{etcd}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{peer}",
        )
        with open(os.path.join(folder, "tokens.csv"), "w") as tokens:
            tokens.write(f"admin,admin,admin,system:masters\nreader,reader,reader,{READERS_GROUP}\n")
        certs = os.path.join(folder, "certs")
        self.api = self.start(
            "kube-apiserver", os.path.join(assets, "kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--secure-port={self.port}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/16", f"--cert-dir={certs}",
            f"--service-account-key-file={certs}/apiserver.key", f"--service-account-signing-key-file={certs}/apiserver.key",
            "--service-account-issuer=https://kubernetes.default.svc", f"--token-auth-file={folder}/tokens.csv",
            "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection",
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > deadline or self.api.poll() is not None:
                sys.exit(open(os.path.join(folder, "kube-apiserver.log")).read()[-2000:])
            time.sleep(0.2)
        self.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        rules = [{"apiGroups": ["", "apps"], "resources": ["pods", "services", "deployments"], "verbs": ["get", "list"]}]
        group = "/apis/rbac.authorization.k8s.io/v1"
        self.create(f"{group}/clusterroles", {"metadata": {"name": "readers"}, "rules": rules})
        subject = {"kind": "Group", "name": READERS_GROUP, "apiGroup": "rbac.authorization.k8s.io"}
        role = {"kind": "ClusterRole", "name": "readers", "apiGroup": "rbac.authorization.k8s.io"}
        self.create(f"{group}/clusterrolebindings", {"metadata": {"name": "readers"}, "subjects": [subject], "roleRef": role})

    def start(self, name, *command, **more):
        log = open(os.path.join(self.folder, f"{name}.log"), "wb")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, **more))
        return self.processes[-1]

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=TLS, timeout=120)

    def call(self, method, path, body=None, token="admin", connection=None):
        connection = connection or self.connect()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def create(self, path, body, connection=None):
        status, told = self.call("POST", path, body, connection=connection)
        if status not in (200, 201, 409):
            sys.exit(f"POST {path}: {status} {told[:500]}")

    def fill(self, kind, first, last):
        def some(numbers):
            connection = self.connect()
            for number in numbers:
                for path, make in kind.objects.items():
                    self.create(path, make(number), connection)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(some, [range(first + n, last, 8) for n in range(8)]))

    def cpu(self):
        with open(f"/proc/{self.api.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def counters(self, resources):
        text = self.call("GET", "/metrics")[1].decode()

        def total(name, *labels):
            lines = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", text, re.M)
            return sum(float(value) for label, value in lines if all(wanted in label for wanted in labels))

        def lists(name):
            return sum(total(name, f'resource="{resource}"', 'verb="LIST"') for resource in resources)

        return {
            "calls": lists("apiserver_request_total"),
            "bytes": lists("apiserver_response_sizes_sum"),
            "seats": total("apiserver_flowcontrol_work_estimated_seats_sum", 'flow_schema="global-default"'),
        }


def pod(number):
    """A pod of some 15 kB, a third of it managed fields: two containers with variables, mounts, probes and resources."""
    def container(name):
        variables = [{"name": f"VARIABLE_{n}", "value": f"value-{n}" * 3} for n in range(25)]
        secret = {"secretKeyRef": {"name": "tokens", "key": "token"}}
        variables += [{"name": f"SECRET_{n}", "valueFrom": secret} for n in range(10)]
        probe = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3}
        amounts = {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "5Gi"}
        return {
            "name": name, "image": "registry.example.com/aenv/weather:1.0.2", "env": variables, "readinessProbe": probe,
            "livenessProbe": probe, "resources": {"limits": amounts, "requests": amounts},
            "volumeMounts": [{"name": f"volume-{n}", "mountPath": f"/mnt/volume-{n}"} for n in range(8)],
        }

    labels = {"business/aenv-name": "weather", "business/aenv-version": "1.0.2", "business/aenv-ttl": "30m"}
    spec = {
        "containers": [container("main"), container("side")],
        "volumes": [{"name": f"volume-{n}", "emptyDir": {}} for n in range(8)],
        "tolerations": [{"key": f"key-{n}", "operator": "Exists", "effect": "NoSchedule"} for n in range(5)],
    }
    return {"metadata": {"name": f"weather-{number:06}", "labels": labels}, "spec": spec}


def deployment(number):
    """The Deployment of a service: its pods are the pods above."""
    name, template = f"weather-{number:06}", pod(number)
    match = {"app": name}
    template["metadata"] = {"labels": {**template["metadata"]["labels"], **match}}
    labels = {"business/aenv-name": "weather", "business/aenv-version": "1.0.2", "business/aenv-owner": "jun"}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"selector": {"matchLabels": match}, "template": template}}


def service(number):
    name = f"weather-{number:06}"
    return {
        "metadata": {"name": name, "labels": {"business/aenv-name": "weather", "business/aenv-version": "1.0.2"}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 8081, "targetPort": 8080}]},
    }


class Kind:
    """What is read: objects on the API server, and the controller's list of them."""

    def __init__(self, name, listed_at, objects):
        self.name, self.listed_at, self.objects = name, listed_at, objects
        self.resources = [path.rsplit("/", 1)[1] for path in objects]

    def page_through_json(self, bench):
        connection = bench.connect()
        return max(self.pages(bench, path, connection) for path in self.objects)

    def pages(self, bench, path, connection):
        token, objects = "", 0
        while True:
            query = "limit=500&labelSelector=business%2Faenv-name%3Dweather" + (f"&continue={token}" if token else "")
            status, body = bench.call("GET", f"{path}?{query}", token="reader", connection=connection)
            assert status == 200, body[:500]
            page = json.loads(body)
            objects += len(page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                return objects


OF_NAMESPACE = f"namespaces/{NAMESPACE}"
KINDS = [
    Kind("pods", "/pods", {f"/api/v1/{OF_NAMESPACE}/pods": pod}),
    Kind("services", "/services", {
        f"/apis/apps/v1/{OF_NAMESPACE}/deployments": deployment, f"/api/v1/{OF_NAMESPACE}/services": service,
    }),
]


class Controller:
    def __init__(self, bench):
        self.port, ready, metrics = free_ports(3)
        config = {
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{bench.port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "u", "user": {"token": "reader"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
            "current-context": "x", "apiVersion": "v1", "kind": "Config",
        }
        path = os.path.join(bench.folder, "kubeconfig")
        with open(path, "w") as file:
            json.dump(config, file)
        keys = {
            "SERVER__BIND": "127.0.0.1", "SERVER__PORT": self.port, "SERVER__READINESS_PORT": ready,
            "SERVER__METRICS_ADDR": f"127.0.0.1:{metrics}", "KUBERNETES__KUBECONFIG": path, "KUBERNETES__NAMESPACE": NAMESPACE,
            "SERVER__REQUEST_DEADLINE_MS": 120000,
        }
        environment = {f"AENV_CONTROLLER__{key}": str(value) for key, value in keys.items()}
        binary = os.environ.get("CONTROLLER", os.path.join(os.path.dirname(__file__), "../target/release/controller"))
        self.process = bench.start("controller", binary, env={**os.environ, **environment})
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.1)

    def read(self, kind):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", f"{kind.listed_at}?envName=weather", headers={"Cache-Control": "no-cache"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        return body.count(b'"id":')

    def peak(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


def measure(bench, kind, read, expected):
    costs = []
    for _ in range(ROUNDS):
        before, cpu, began = bench.counters(kind.resources), bench.cpu(), time.monotonic()
        objects = read()
        took, cpu, after = time.monotonic() - began, bench.cpu() - cpu, bench.counters(kind.resources)
        assert objects == expected, f"{objects} of {expected} {kind.name}"
        costs.append({"cpu ms": cpu * 1000, "time ms": took * 1000, **{key: after[key] - before[key] for key in after}})
    # The first of each is asked in the cold; the median of all is less moved by what else the machine does.
    return {key: sorted(cost[key] for cost in costs)[ROUNDS // 2] for key in costs[0]}


def table(heading, rows):
    print(f"\n{heading:<16}" + "".join(f"{key:>14}" for key in rows[0][1]))
    for name, row, digits in rows:
        print(f"{name:<16}" + "".join("-".rjust(14) if value is None else f"{value:>14.{digits}f}" for value in row.values()))


def quotients(of, by):
    return {key: of[key] / by[key] if by[key] else None for key in of}


def compare(bench, kind, sizes):
    last, filled = None, 0
    for size in sizes:
        bench.fill(kind, filled, size)
        # What the API server still has to do about the writes is over by then.
        time.sleep(2)
        controller = Controller(bench)
        rest = controller.peak()
        bare = measure(bench, kind, lambda: kind.page_through_json(bench), size)
        ours = measure(bench, kind, lambda: controller.read(kind), size)
        rows = [("bare JSON", bare, 0), ("controller", ours, 0), ("ratio", quotients(ours, bare), 2)]
        if last:
            grown, (of_bare, of_ours) = f"{size / filled:.1f} times", last
            rows.append((f"{grown}: bare", quotients(bare, of_bare), 1))
            rows.append((f"{grown}: ours", quotients(ours, of_ours), 1))
        table(f"{size} {kind.name}", rows)
        print(f"peak memory of the controller: {controller.peak():.1f} MB, at rest {rest:.1f} MB", flush=True)
        controller.process.kill()
        last, filled = (bare, ours), size


def main():
    parser = argparse.ArgumentParser(description="API server cost of a list, ours against a bare client's.")
    for kind, default in zip(KINDS, ([2000], [1000])):
        parser.add_argument(f"--{kind.name}", nargs="*", type=int, default=default, metavar="N")
    sizes = vars(parser.parse_args())
    assets = os.environ.get("KUBEBUILDER_ASSETS") or sys.exit("KUBEBUILDER_ASSETS is not set")
    folder = tempfile.mkdtemp(prefix="aenv-bench-api-")
    bench = None
    try:
        bench = Bench(assets, folder)
        print("API server", json.loads(bench.call("GET", "/version")[1])["gitVersion"])
        for kind in KINDS:
            compare(bench, kind, sorted(sizes[kind.name]))
    finally:
        if bench:
            bench.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
