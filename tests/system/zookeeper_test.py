#!/usr/bin/env python3
"""Masters that ZooKeeper elects: the leader dies, stands still, or loses the ensemble; tasks go on."""

import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, program, run_tests, wait_until  # noqa: E402
from harness_zookeeper import Ensemble  # noqa: E402

# A short session, so that tests need not wait long for its end.
QUICK = "--zk-session-timeout=2secs"


def leads(master):
    """Whether the last thing that this master heard of is its election."""
    last = [event["event"] for event in list(master.events)
            if event.get("event") in ("master.elected", "master.deposed")]
    return master.running() and last[-1:] == ["master.elected"]


def wait_leader(masters, seconds=30):
    return wait_until(lambda: next((m for m in masters if leads(m)), None), "a leader", seconds)


def start_masters(cluster, ensemble, count=3):
    masters = [cluster.start_contender(ensemble.url(), QUICK, f"--hostname=master{i}")
               for i in range(count)]
    return masters, wait_leader(masters)


def alive(marker):
    """Pids of the processes `sleep marker`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if marker in words and words[0].endswith("sleep"):
            found.append(int(pid))
    return sorted(found)


def start_tasks(cluster, marker, instances=3):
    run = cluster.start_tepui("run", "--name=stays", f"--instances={instances}", "--cpus=0.5",
                              "--", "sleep", marker)
    wait_running(cluster, instances)
    return run, alive(marker)


def wait_running(cluster, count):
    def check():
        done = cluster.tepui("tasks", "--json", check=False)
        if done.returncode != 0:
            return False
        states = [row["state"] for row in json.loads(done.stdout)]
        return states == ["TASK_RUNNING"] * count

    wait_until(check, f"{count} tasks to be known as running", seconds=60)


def wait_agents(cluster, count):
    def check():
        done = cluster.tepui("agents", "--json", check=False)
        return done.returncode == 0 and [row["state"] for row in json.loads(done.stdout)
                                         ] == ["active"] * count

    wait_until(check, f"{count} agents to be active", seconds=60)


def kill_9_of_the_leader_and_another_leads_while_tasks_go_on(cluster):
    ensemble = Ensemble(cluster)
    masters, leader = start_masters(cluster, ensemble)
    agents = [cluster.start_agent() for _ in range(2)]
    ids = sorted(cluster.wait_registered(agent) for agent in agents)
    run, pids = start_tasks(cluster, "7001")
    for _ in range(2):
        leader.kill()
        masters.remove(leader)
        leader = wait_leader(masters)
        wait_agents(cluster, 2)
        wait_running(cluster, 3)
        expect_equal(sorted(row["id"] for row in cluster.rows("agents")), ids, "agent ids")
        expect_equal(alive("7001"), pids, "the processes of the tasks")
    expect_equal(leader.wait_event("master.elected")["epoch"], "3", "the third leader's epoch")
    for left, task in zip((2, 1, 0), sorted(row["id"] for row in cluster.rows("tasks"))):
        cluster.tepui("kill", task)
        wait_until(lambda: len(alive("7001")) == left, "the killed task to end")
    run.communicate(timeout=30)


def the_whole_ensemble_goes_and_returns(cluster):
    ensemble = Ensemble(cluster)
    masters, leader = start_masters(cluster, ensemble)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    _, pids = start_tasks(cluster, "7002")
    ensemble.kill()
    leader.wait_event("master.deposed")
    expect_equal([leads(master) for master in masters], [False] * 3, "who leads without ZooKeeper")
    expect_equal(alive("7002"), pids, "the processes of the tasks during the outage")
    done = cluster.tepui("agents", "--timeout=1secs", check=False)
    expect_equal(done.returncode, 4, f"status without an ensemble: {done.stderr}")
    ensemble.start()
    wait_leader(masters)
    wait_agents(cluster, 1)
    wait_running(cluster, 3)
    expect_equal(alive("7002"), pids, "the processes of the tasks after the outage")
    expect_equal([master.running() for master in masters], [True] * 3, "masters that live")


def a_server_of_the_ensemble_goes_and_nobody_notices(cluster):
    ensemble = Ensemble(cluster)
    masters, leader = start_masters(cluster, ensemble)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    for server in ensemble.servers[:]:
        server.kill()
        cluster.tepui("weights", "set", f"role{server.number}=2", seconds=30)
        server.start()
        wait_until(server.serves, "the server to be back")
    wait_agents(cluster, 1)
    expect_equal(sum(leads(master) for master in masters), 1, "leaders")
    roles = {row["name"]: row["weight"] for row in cluster.rows("roles")}
    expect_equal([roles.get(f"role{i}") for i in (1, 2, 3)], [2, 2, 2], "weights")


def a_leader_that_stood_still_becomes_a_follower_and_sends_readers_on(cluster):
    ensemble = Ensemble(cluster)
    masters, old = start_masters(cluster, ensemble, count=2)
    new = next(master for master in masters if master is not old)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    os.kill(old.pid, signal.SIGSTOP)
    try:
        wait_leader([new])
        wait_agents(cluster, 1)
        cluster.tepui("weights", "set", "gold=3")
    finally:
        os.kill(old.pid, signal.SIGCONT)
    old.wait_event("master.deposed")
    # What is asked of the follower is answered by the leader.
    rows = wait_until(
        lambda: json.loads(done.stdout)
        if (done := cluster.tepui("agents", "--json", master=old.address, check=False)
            ).returncode == 0 else None, "the follower to know the leader")
    expect_equal([row["state"] for row in rows], ["active"], "agents through the follower")
    # It was not started again, and leads when the other is gone, with what was written meanwhile.
    wait_until(lambda: len(ensemble.shell("ls", "/tepui").split("json.info_")) == 3,
               "the follower to stand for election again")
    new.kill()
    wait_leader([old])
    wait_agents(cluster, 1)
    weights = {row["name"]: row["weight"] for row in cluster.rows("roles")}
    expect_equal(weights.get("gold"), 3, "the weight that the other leader recorded")
    elections = [event for event in old.events if event.get("event") == "master.elected"]
    expect_equal([int(event["epoch"]) for event in elections], [1, 3], "epochs of the old leader")


def a_framework_follows_the_leader(cluster):
    ensemble = Ensemble(cluster)
    masters, leader = start_masters(cluster, ensemble, count=2)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    gate = cluster.path("gate")
    hello = cluster.keep(subprocess.Popen(
        [program("hello-framework"), ensemble.url(), "6",
         f"until test -e {gate}; do sleep 0.05; done"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    wait_until(lambda: any(row["state"] == "TASK_RUNNING" for row in cluster.rows("tasks")),
               "a task to run")
    leader.kill()
    masters.remove(leader)
    wait_leader(masters)
    wait_agents(cluster, 1)
    with open(gate, "w", encoding="ascii"):
        pass
    _, errors = hello.communicate(timeout=90)
    expect_equal(hello.returncode, 0, f"the framework's status: {errors}")


def tools_find_the_leader_by_the_json_of_its_node(cluster):
    ensemble = Ensemble(cluster, size=1)
    masters, leader = start_masters(cluster, ensemble, count=2)
    out = ensemble.shell("ls", "/tepui")
    nodes = sorted(out[out.rindex("[") + 1:out.rindex("]")].split(", "))
    contenders = [node for node in nodes if node.startswith("json.info_")]
    expect_equal(len(contenders), 2, f"contenders among {nodes}")
    out = ensemble.shell("get", "/tepui/" + contenders[0])
    info = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    ip, port = leader.address.split(":")
    expect_equal(info["address"]["ip"], ip, "address.ip")
    expect_equal((info["port"], info["address"]["port"]), (int(port), int(port)), "ports")
    expect_equal(info["ip"], int.from_bytes(bytes([127, 0, 0, 1]), "little"), "ip as a number")
    expect_equal(info["pid"], f"master@{leader.address}", "pid")
    leader.terminate()
    # A master that is told to end makes room at once.
    wait_leader([master for master in masters if master is not leader], seconds=10)


def the_registry_is_dumped_checked_exported_and_imported(cluster):
    ensemble = Ensemble(cluster, size=1)
    masters, _ = start_masters(cluster, ensemble, count=1)
    agent = cluster.start_agent()
    agent_id = cluster.wait_registered(agent)
    cluster.tepui("weights", "set", "gold=3")
    zk = ensemble.url()
    entries = {row["key"]: row["value"]
               for row in json.loads(cluster.tepui("registry", "dump", zk, "--json").stdout)}
    expect_equal(entries["weights/gold"], "3", "the weight in the dump")
    expect_equal(entries[f"agents/{agent_id}"]["id"], agent_id, "the agent in the dump")
    expect("sound" in cluster.tepui("registry", "check", zk).stdout, "check does not say sound")
    file = cluster.path("exported")
    cluster.tepui("registry", "export", zk, file)
    refused = cluster.tepui("registry", "import", zk, file, check=False)
    expect_equal(refused.returncode, 5, f"import while a master stands: {refused.stderr}")
    masters[0].terminate()
    refused = cluster.tepui("registry", "import", zk, file, check=False)
    expect("entries already" in refused.stderr, f"import over a registry: {refused.stderr}")
    # To a directory, and to another path of the ensemble.
    other = ensemble.url("/other/cluster")
    for place in ("file:" + cluster.path("imported"), other):
        cluster.tepui("registry", "import", place, file)
        copied = {row["key"]: row["value"]
                  for row in json.loads(cluster.tepui("registry", "dump", place, "--json").stdout)}
        expect_equal(copied, entries, f"what was imported to {place}")
    # Damage is found and named, by the command and by a master.
    shard = "/other/cluster/registry/shards/00000000"
    ensemble.shell("set", shard, "nonsense")
    damaged = cluster.tepui("registry", "check", other, check=False)
    expect_equal(damaged.returncode, 1, f"check of a damaged registry: {damaged.stdout}")
    expect(f"znode {shard} has 8 bytes" in damaged.stderr, f"check says: {damaged.stderr}")
    master = cluster.start_contender(other, QUICK)
    why = master.wait_event("zookeeper.trouble")["why"]
    expect(f"znode {shard} has 8 bytes" in why, f"the master says: {why}")
    expect(not leads(master), "a master leads with a damaged registry")
    # A whole copy over it heals it.
    master.terminate()
    ensemble.shell("deleteall", "/other/cluster/registry")
    cluster.tepui("registry", "import", other, file)
    expect("sound" in cluster.tepui("registry", "check", other).stdout, "it is not healed")


def bad_addresses_of_ensembles_are_refused(cluster):
    def refusal(*flags, listen="127.0.0.1:0"):
        done = subprocess.run([program("tepui-master"), f"--listen={listen}", *flags],
                              capture_output=True, text=True, timeout=20, check=False)
        expect_equal(done.returncode, 2, f"status with {flags}")
        return done.stderr

    expect("there is no path" in refusal("--zk=zk://127.0.0.1:1"), "no path")
    expect("with --zk the registry is in ZooKeeper" in
           refusal("--zk=zk://127.0.0.1:1/x", "--registry=file:" + cluster.path("r")), "two places")
    expect("--registry=file:DIRECTORY or --zk" in refusal(), "no registry")
    expect("--zk is not given" in refusal("--registry=zk"), "no ensemble")
    expect("--advertise=HOST:PORT" in
           refusal("--zk=zk://127.0.0.1:1/x", listen="0.0.0.0:0"), "no address of its own")


if __name__ == "__main__":
    sys.exit(run_tests([
        kill_9_of_the_leader_and_another_leads_while_tasks_go_on,
        the_whole_ensemble_goes_and_returns,
        a_server_of_the_ensemble_goes_and_nobody_notices,
        a_leader_that_stood_still_becomes_a_follower_and_sends_readers_on,
        a_framework_follows_the_leader,
        tools_find_the_leader_by_the_json_of_its_node,
        the_registry_is_dumped_checked_exported_and_imported,
        bad_addresses_of_ensembles_are_refused,
    ]))
