#!/usr/bin/env python3
"""What is not used is lent, and taken back when those that paid suffer, by real processes: the
machine's processors are contended, and the kernel's own numbers say so."""

import json
import os
import signal
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import cgroup_of, expect, expect_equal, run_tests, wait_until  # noqa: E402

CPUS = os.cpu_count() or 1


def loops(count):
    return f"for i in $(seq {count}); do (while :; do :; done) & done; wait"


# Alone each of them is well; together they want twice what there is.
PAID = loops(CPUS)
BUSY = loops(CPUS + 1)
LENT = '[oversubscription]\nestimator = "fixed"\ncpus = 1.5\nmem = "128MB"\ninterval = "1secs"\n'
RULES = """
[qos]
step-gap = "100ms"
frozen-max = "1hrs"
[qos.ladders]
cpu = ["offer-less", "idle", "cpu-max", "freeze"]
[[qos.rules]]
name = "waits"
signal = "cpu_pressure"
threshold = 100
recovery = 50
hold = "200ms"
calm = "5secs"
"""


def start(cluster, settings):
    file = cluster.path("qos.toml")
    write(file, settings)
    cluster.start_master()
    agent = cluster.start_agent("--sampling-interval=100ms", f"--qos={file}",
                                resources="cpus:2;mem:1GB")
    cluster.wait_registered(agent)
    return agent, file


def write(file, settings):
    with open(file, "w", encoding="utf-8") as out:
        out.write(settings)


def ask(agent, target):
    address = agent.wait_event("agent.listening")["address"]
    with urllib.request.urlopen(f"http://{address}{target}", timeout=10) as answer:
        return json.load(answer)


def run_batch(cluster, command, cpus="1.5"):
    batch = cluster.start_tepui("run", "--name=batch", "--revocable", f"--cpus={cpus}",
                                "--mem=64MB", "--", "sh", "-c", command)
    wait_until(lambda: "batch" in running(cluster), "the batch to run")
    expect(f"{cpus} revocable" in str(running(cluster)["batch"]), f"{running(cluster)['batch']}")
    return batch


def running(cluster):
    return {row["id"]: row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"}


def what_is_lent_shows_and_shrinks_when_it_may_not_be_offered(cluster):
    agent, file = start(cluster, LENT)
    wait_until(lambda: "cpus:1.5" in cluster.tepui("agents").stdout, "the lent processors")
    state = ask(agent, "/qos")
    expect_equal([state["policy"], state["estimator"]], ["rules", "fixed"], "the settings")
    expect("mem:128" in state["revocable"], f"{state['revocable']}")
    run_batch(cluster, "sleep 1000")
    # Another file, and the pool is another one; what runs keeps what it has.
    write(file, LENT.replace("1.5", "0.5"))
    agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "cpus:0.5" in ask(agent, "/qos")["revocable"], "the smaller pool")
    expect("batch" in running(cluster), "the batch goes on")
    write(file, "[oversubscription]\nestimator = \"magic\"\n")
    agent.process.send_signal(signal.SIGHUP)
    failed = agent.wait_event("qos.reload_failed")
    expect("line 2: oversubscription.estimator: expected none, fixed or peak" in failed["why"],
           f"{failed}")
    expect("cpus:0.5" in ask(agent, "/qos")["revocable"], "what was before stays")


def who_hurts_those_that_paid_is_corrected_and_let_go(cluster):
    agent, _ = start(cluster, LENT + RULES)
    wait_until(lambda: "cpus:1.5" in cluster.tepui("agents").stdout, "the lent processors")
    run_batch(cluster, BUSY)
    cluster.start_tepui("run", "--name=web", "--cpus=1", "--mem=64MB", "--", "sh", "-c", PAID)

    def corrected():
        return {one["task"]: one for one in ask(agent, "/qos")["corrected"]}
    wait_until(lambda: "batch" in corrected(), "the batch to be corrected")
    state = ask(agent, "/qos")
    expect("web" in [one["task"] for one in state["suffering"]] or state["decisions"],
           f"who suffers: {state['suffering']}")
    first = [one for one in state["decisions"] if one.get("task") == "batch"][-1]
    expect_equal([first["step"], first["victim_task"], first["signal"]],
                 ["idle", "web", "cpu_pressure"], "the mildest first")
    expect(first["value"] > first["threshold"] == 100, f"{first}")
    # Its threads are in the idle class now, by whichever way this machine has.
    container = first["container_id"]
    wait_until(lambda: is_idle(cluster, container), "the idle class")
    explained = cluster.tepui("qos", "explain", "batch").stdout
    expect("held against it" in explained and "because web suffered (waits): cpu_pressure" in explained,
           explained)
    table = cluster.tepui("qos", "show").stdout.splitlines()
    expect(table[0].split()[:3] == ["AGENT", "POLICY", "ESTIMATOR"], table)
    expect(table[1].split()[1:3] == ["rules", "fixed"], table)
    # Those that paid end; all is undone, and the batch has run all the time.
    cluster.tepui("kill", "web", "--grace=0secs")
    wait_until(lambda: not corrected(), "all to be undone", seconds=60)
    state = ask(agent, "/qos")
    expect("batch" in running(cluster), "the batch runs")
    expect(not any(one.get("task") == "web" for one in state["decisions"]), "web is left alone")
    wait_until(lambda: not is_idle(cluster, container), "the normal class")
    expect_equal(frozen(cluster, container), "0", "frozen")
    logged = cluster.tepui("qos", "log", "batch").stdout
    expect("cpu_pressure of web is" in logged, logged)
    expect("idle undone" in logged and logged.index("idle class") <
           logged.index("idle undone"), logged)
    expect("nothing is held against it" in cluster.tepui("qos", "explain", "batch").stdout,
           "explained afterwards")
    expect_equal(cluster.tepui("qos", "tune", check=False).returncode, 2, "an unknown verb")
    [told] = json.loads(cluster.tepui("qos", "log", "--json").stdout)
    expect_equal(told["policy"], "rules", "as JSON")
    wait_until(lambda: ask(agent, "/qos")["offered_permille"]["cpu"] == 1000, "all to be offered",
               seconds=60)


def settings_are_tried_on_a_recording(cluster):
    file, record = cluster.path("qos.toml"), cluster.path("recording")
    write(file, LENT)
    cluster.start_master()
    agent = cluster.start_agent("--sampling-interval=100ms", f"--qos={file}", f"--record={record}",
                                resources="cpus:2;mem:1GB")
    cluster.wait_registered(agent)
    wait_until(lambda: "cpus:1.5" in cluster.tepui("agents").stdout, "the lent processors")
    run_batch(cluster, BUSY)
    cluster.start_tepui("run", "--name=web", "--cpus=1", "--mem=64MB", "--", "sh", "-c", PAID)
    candidate = cluster.path("candidate.toml")
    write(candidate, LENT + RULES)

    def tried(*more):
        done = cluster.tepui("qos", "replay", record, f"--candidate={candidate}", *more, "--json",
                             check=False)
        return json.loads(done.stdout)["trials"] if done.returncode == 0 else None

    def corrected():
        trials = tried()
        return trials and [task for task in trials[0]["tasks"]
                           if task["task"] == "batch" and task["steps"] > 0]
    wait_until(corrected, "the candidate to correct the batch in what is recorded")
    agent.terminate(by=signal.SIGUSR1)
    new, old = tried(f"--live={file}")
    expect(new["taken"]["idle"] >= 1 and new["readings"] == old["readings"] > 10, f"{new}")
    expect_equal(new["lent_cpu_secs"], old["lent_cpu_secs"], "the same estimator lends the same")
    expect(new["reclaimed"] > 0, f"{new['reclaimed']}")
    web = [task for task in new["tasks"] if task["task"] == "web"][0]
    expect(web["suffered_secs"] > 0 and web["steps"] == 0, f"{web}")
    text = cluster.tepui("qos", "replay", record, f"--candidate={candidate}").stdout
    expect("LENT CPU %" in text and "does not react" in text, text)
    for bad in ([record], [cluster.path("nowhere"), f"--candidate={candidate}"]):
        expect(cluster.tepui("qos", "replay", *bad, check=False).returncode in (2, 3), f"{bad}")


def cgroup(cluster, container):
    return os.path.join(cgroup_of(cluster.cgroups[0]), f"container-{container}")


def frozen(cluster, container):
    with open(os.path.join(cgroup(cluster, container), "cgroup.events"), encoding="ascii") as file:
        return dict(line.split() for line in file)["frozen"]


def is_idle(cluster, container):
    folder = cgroup(cluster, container)
    if os.path.exists(os.path.join(folder, "cpu.idle")):
        with open(os.path.join(folder, "cpu.idle"), encoding="ascii") as file:
            return file.read().strip() == "1"
    with open(os.path.join(folder, "cgroup.threads"), encoding="ascii") as file:
        threads = [int(line) for line in file]
    return any(os.sched_getscheduler(thread) == os.SCHED_IDLE for thread in threads)


def a_policy_that_kills_says_why_to_its_owner(cluster):
    agent, file = start(cluster, LENT)
    wait_until(lambda: "cpus:1.5" in cluster.tepui("agents").stdout, "the lent processors")
    cluster.start_tepui("run", "--name=web", "--cpus=1", "--mem=64MB", "--", "sleep", "1000")
    batch = run_batch(cluster, BUSY)
    wait_until(lambda: "web" in running(cluster), "web to run")
    # No machine on which this runs has less load than that.
    write(file, LENT + '[qos]\npolicy = "load"\n[qos.load]\nfive-minutes = 0.001\n')
    agent.process.send_signal(signal.SIGHUP)
    _, error = batch.communicate(timeout=60)
    expect(batch.returncode != 0, "the status of the batch")
    expect("revocable resources were taken back" in error and "load" in error, error)
    expect("web" in running(cluster), "what was paid for runs")


def a_bad_file_is_refused_at_the_start(cluster):
    file = cluster.path("qos.toml")
    write(file, "[qos]\nprofile = \"balanced\"\nspeed = 3\n")
    cluster.start_master()
    agent = cluster.start_agent(f"--qos={file}")
    agent.process.wait(timeout=20)
    expect_equal(agent.process.returncode, 2, "the status")
    expect(f"{file}: line 3: qos.speed: expected profile, policy" in agent.tail(), agent.tail())


if __name__ == "__main__":
    sys.exit(run_tests([
        what_is_lent_shows_and_shrinks_when_it_may_not_be_offered,
        who_hurts_those_that_paid_is_corrected_and_let_go,
        a_policy_that_kills_says_why_to_its_owner,
        a_bad_file_is_refused_at_the_start,
        settings_are_tried_on_a_recording,
    ]))
