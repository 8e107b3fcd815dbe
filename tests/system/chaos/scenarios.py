"""Faults with a name, one after the other in a known order. Each gets a running Topology, and leaves
it as it was."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import expect, expect_equal, wait_until  # noqa: E402
from topology import SESSION_SECONDS, empty_disk, fill_disk, read_lines, serves  # noqa: E402


def names(nodes):
    return [node.name for node in nodes]


def elections(master):
    return [int(event["epoch"]) for event in master.events("master.elected")]


def deposed(master):
    return len(master.events("master.deposed"))


def wait_deposed(master, before):
    wait_until(lambda: deposed(master) > before, f"{master.name} to step down")


def lives(topology):
    """Process ids, to see that nothing was started again."""
    return {node.name: node.process.pid for node in topology.nodes}


def wait_disconnected(framework):
    before = sum(entry["event"] == "disconnected" for entry in read_lines(framework.history))
    wait_until(lambda: sum(entry["event"] == "disconnected"
                           for entry in read_lines(framework.history)) > before,
               f"{framework.name} to notice that it is cut off")


def jobs_run_again_after_a_brief_partition_of_their_framework(topology):
    """Jepsen on Chronos (2015): after a partition of the scheduler had healed, it was registered
    nowhere, and no job ran until somebody started it again."""
    cut_off, other = topology.frameworks[:2]
    before = lives(topology)
    rest = names(topology.servers + topology.masters)
    topology.network.cut([cut_off.name], rest)
    topology.network.cut(rest, [cut_off.name])
    wait_disconnected(cut_off)
    topology.wait_finished(other, 2)  # the others do not care
    topology.network.mend_all()
    topology.wait_finished(cut_off, 3)
    expect_equal(lives(topology), before, "processes after the partition")
    ids = {entry["framework"] for entry in read_lines(cut_off.history)
           if entry["event"] == "subscribed"}
    expect_equal(len(ids), 1, f"identities of the framework {ids}")


def jobs_run_again_after_a_brief_partition_of_the_leader(topology):
    """The leader alone is cut off from everybody, and comes back as a follower."""
    before = lives(topology)
    old = topology.wait_leader()
    falls = deposed(old)
    rest = names(node for node in topology.nodes if node is not old)
    topology.network.cut([old.name], rest)
    topology.network.cut(rest, [old.name])
    new = topology.wait_leader(other_than=old)
    for framework in topology.frameworks:
        topology.wait_finished(framework, 2)
    topology.network.mend_all()
    wait_deposed(old, falls)
    topology.wait_agents()
    for framework in topology.frameworks:
        topology.wait_finished(framework, 2)
    expect_equal(topology.leader().name, new.name, "the leader after the partition")
    expect_equal(lives(topology), before, "processes after the partition")


def jobs_run_again_after_the_cluster_was_cut_in_two(topology):
    """As Jepsen cut it: the leader, one server of the ensemble, an agent and a framework here, all
    others there. Both halves go on as far as they can, and are one afterwards."""
    before = lives(topology)
    old = topology.wait_leader()
    here = names([old, topology.servers[0], topology.agents[0], topology.frameworks[0]])
    there = [node.name for node in topology.nodes if node.name not in here]
    topology.network.cut(here, there)
    topology.network.cut(there, here)
    topology.wait_leader(other_than=old)
    topology.wait_finished(topology.frameworks[1], 2)
    topology.network.mend_all()
    topology.wait_agents()
    for framework in topology.frameworks:
        topology.wait_finished(framework, 3)
    expect_equal(lives(topology), before, "processes after the partition")


def a_leader_that_stood_still_beyond_its_session_follows(topology):
    """It still believes that it leads when it goes on: what it would write is refused, and it
    becomes a follower without being started again."""
    before = lives(topology)
    old = topology.wait_leader()
    falls = deposed(old)
    old.stop()
    new = topology.wait_leader(other_than=old)
    weight = topology.tepui("weights", "set", "gold=3")
    expect_equal(weight.returncode, 0, f"a write of the new leader: {weight.stderr}")
    old.go_on()
    wait_deposed(old, falls)
    topology.wait_agents()
    expect(max(elections(new)) > max(elections(old)), "the new epoch is not the higher")
    weights = {row["name"]: row["weight"] for row in topology.rows("roles")}
    expect_equal(weights.get("gold"), 3, "what the new leader wrote")
    for framework in topology.frameworks:
        topology.wait_finished(framework, 2)
    expect_equal(lives(topology), before, "processes afterwards")


def tasks_go_on_while_the_whole_ensemble_is_down(topology):
    before = {node.name: node.process.pid for node in topology.masters + topology.agents}
    # One task each that does not end.
    topology.phase("hold")
    topology.wait_quiet("hold")
    running = [topology.processes(agent) for agent in topology.agents]
    for server in topology.servers:
        server.kill()
    wait_until(lambda: topology.leader() is None, "the leader to step down",
               seconds=SESSION_SECONDS * 5)
    expect_equal([topology.processes(agent) for agent in topology.agents], running,
                 "processes of tasks during the outage")
    for server in topology.servers:
        server.start()
    wait_until(lambda: all(serves(server) for server in topology.servers), "the ensemble", 60)
    topology.wait_agents()
    expect_equal([topology.processes(agent) for agent in topology.agents], running,
                 "processes of tasks after the outage")
    topology.phase("run")
    for framework in topology.frameworks:
        topology.wait_finished(framework, 2)
    expect_equal({node.name: node.process.pid for node in topology.masters + topology.agents},
                 before, "masters and agents afterwards")


def an_agent_that_hears_and_is_not_heard_comes_back_with_its_tasks(topology):
    """One way only: what the agent says is lost. It is unreachable, and its tasks are not."""
    topology.phase("hold")
    topology.wait_quiet("hold")
    agent = next(agent for agent in topology.agents if topology.processes(agent))
    running = topology.processes(agent)
    topology.network.cut([agent.name], names(topology.masters))
    wait_until(lambda: "unreachable" in [row["state"] for row in topology.rows("agents") or []],
               "the agent to be unreachable")
    topology.network.mend_all()
    topology.wait_agents()
    expect_equal(topology.processes(agent), running, "the processes of its tasks")
    topology.phase("run")
    for framework in topology.frameworks:
        topology.wait_finished(framework, 2)


def an_agent_ends_when_its_disk_is_full_and_comes_back_with_its_tasks(topology):
    """It cannot promise anything any more, so it ends, and leaves what runs to its next life."""
    topology.phase("hold")
    topology.wait_quiet("hold")
    agent = topology.agents[0]
    running = topology.processes(agent)
    running.pop("", None)  # shims
    topology.disks_filled.add(agent.name)
    fill_disk(topology.path(agent.name))
    # Its memory has some room that was allocated before: many tasks fill that, too.
    flood = topology.start_tepui("run", "--instances=2000", "--cpus=0.01", "--mem=1MB",
                                 f"--constraint=hostname={agent.name}", "--", "true")
    try:
        wait_until(lambda: not agent.running(), "the agent to end on its full disk", 60)
    finally:
        flood.kill()
        flood.wait()
    topology.phase("run")
    expect(agent.process.returncode > 0, f"it ended with {agent.process.returncode}")
    expect("cannot remember" in agent.tail(), f"it should say why: {agent.tail()}")
    kept = topology.processes(agent)
    expect_equal({task: kept.get(task) for task in running}, running, "what its tasks run")
    empty_disk(topology.path(agent.name))
    agent.start()
    topology.wait_agents()
    for row in topology.rows("frameworks"):
        if row["name"] == "run":
            topology.tepui("teardown", row["id"])
    kept = topology.processes(agent)
    expect_equal({task: kept.get(task) for task in running}, running, "what it took up again")
    for framework in topology.frameworks:
        topology.wait_finished(framework, 2)


ALL = [
    jobs_run_again_after_a_brief_partition_of_their_framework,
    jobs_run_again_after_a_brief_partition_of_the_leader,
    jobs_run_again_after_the_cluster_was_cut_in_two,
    a_leader_that_stood_still_beyond_its_session_follows,
    tasks_go_on_while_the_whole_ensemble_is_down,
    an_agent_that_hears_and_is_not_heard_comes_back_with_its_tasks,
    an_agent_ends_when_its_disk_is_full_and_comes_back_with_its_tasks,
]
