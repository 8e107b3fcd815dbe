#!/usr/bin/env python3
"""What operators command of a cluster of real processes: quota, weights, maintenance, drain."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests, wait_until  # noqa: E402

REFUSED = 5


def small(cluster, agents=1, **options):
    cluster.start_master()
    return [cluster.wait_registered(cluster.start_agent(**options)) for _ in range(agents)]


def role(cluster, name):
    rows = [row for row in cluster.rows("roles") if row["name"] == name]
    return rows[0] if rows else None


def machines(cluster):
    return json.loads(cluster.tepui("maintenance", "show", "--json").stdout)


def running(cluster):
    return [row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"]


def refused(cluster, why, *arguments):
    done = cluster.tepui(*arguments, check=False)
    expect_equal(done.returncode, REFUSED, f"the status of {' '.join(arguments)}")
    expect(why in done.stderr, f"{' '.join(arguments)} was refused with {done.stderr!r}")


def a_limit_bounds_a_batch(cluster):
    small(cluster)
    cluster.tepui("quota", "set", "eng", "--limit=cpus:1;mem:256MB")
    batch = cluster.path("batch.toml")
    with open(batch, "w", encoding="utf-8") as file:
        file.write('role = "eng"\ncpus = 0.5\nmem = "32MB"\n'
                   '[[task]]\ncommand = "sleep 1000"\ninstances = 4\n')
    cluster.start_tepui("batch", batch)
    wait_until(lambda: len(running(cluster)) == 2, "two of the tasks to run")
    consumed = wait_until(lambda: role(cluster, "eng")["consumed"].get("cpus") == 1,
                          "the limit to be used up")
    expect(consumed, "the limit is used up")
    framework = running(cluster)[0]["framework_id"]
    told = json.loads(cluster.tepui("why", framework, "eng", "--json").stdout)
    expect_equal(told[0]["role"], "eng", "the role that is explained")
    expect_equal(sum(cause["agents"] for cause in told[0]["causes"]), 1,
                 f"the agents that are counted in {told}")
    expect(all(cause["advice"] for cause in told[0]["causes"]), f"a cause has no advice: {told}")
    expect("To change it:" in cluster.tepui("why", framework).stdout, "why says what would help")

    # Raised, the others follow.
    cluster.tepui("quota", "set", "eng", "--limit=cpus:2")
    wait_until(lambda: len(running(cluster)) == 4, "all tasks to run")
    refused(cluster, "uses 2 cpus now, more than the limit of 1",
            "quota", "set", "eng", "--limit=cpus:1")
    cluster.tepui("quota", "set", "eng", "--limit=cpus:1", "--force")
    expect_equal(len(running(cluster)), 4, "the tasks that run under a forced limit")
    cluster.tepui("teardown", framework)
    wait_until(lambda: not running(cluster), "the framework's tasks to end")


def drain_empties_an_agent_and_it_comes_back(cluster):
    agent, = small(cluster)
    cluster.start_tepui("run", "--name=long", "--", "sleep", "1000")
    wait_until(lambda: running(cluster), "the task to run")
    cluster.tepui("drain", agent, "--grace=1secs", "--wait")
    row, = cluster.rows("agents")
    expect_equal(row["draining"], "drained", "the agent")
    expect_equal(row["tasks"], 0, "its tasks")
    task = [row for row in cluster.rows("tasks") if row["id"] == "long"][0]
    expect_equal((task["state"], task["reason"]), ("TASK_KILLED", "REASON_AGENT_DRAINING"),
                 "the task")
    refused(cluster, "the agent is drained", "deactivate", agent)
    cluster.tepui("reactivate", agent)
    done = cluster.tepui("run", "--", "echo", "again")
    expect_equal(done.stdout, "again\n", "what runs on it afterwards")
    refused(cluster, "not deactivated", "reactivate", agent)


def what_operators_set_outlives_the_master(cluster):
    agent, = small(cluster)
    host = cluster.rows("agents")[0]["hostname"]
    cluster.tepui("quota", "set", "eng", "--guarantee=cpus:1", "--limit=cpus:2;gpus:0")
    cluster.tepui("weights", "set", "eng=2.5", "ops=0.5")
    schedule = cluster.path("schedule.toml")
    with open(schedule, "w", encoding="utf-8") as file:
        file.write(f'[[window]]\nhosts = ["{host}", "elsewhere"]\nstart = "in 2hrs"\n'
                   'duration = "1hrs"\n')
    cluster.tepui("maintenance", "schedule", schedule)
    cluster.tepui("deactivate", agent)
    before = machines(cluster)
    expect_equal(sorted(row["hostname"] for row in before), sorted([host, "elsewhere"]),
                 "the machines of the schedule")
    cluster.master.kill()
    cluster.start_master("--weights=eng=9,new=3")
    wait_until(lambda: cluster.rows("agents"), "the agent to come back")
    expect_equal(machines(cluster), before, "the schedule")
    eng = role(cluster, "eng")
    expect_equal((eng["weight"], eng["guarantees"], eng["limits"]),
                 (2.5, {"cpus": 1}, {"cpus": 2, "gpus": 0}), "the role")
    expect_equal(role(cluster, "new")["weight"], 3, "a weight that only the flag names")
    row = cluster.rows("agents")[0]
    expect(row["deactivated"], "the agent is active again")
    expect(row["unavailability"], "the agent's maintenance is forgotten")


def a_machine_goes_down_and_comes_up(cluster):
    small(cluster)
    host = cluster.rows("agents")[0]["hostname"]
    refused(cluster, "not in the maintenance schedule", "maintenance", "start", host)
    schedule = cluster.path("schedule.json")
    with open(schedule, "w", encoding="utf-8") as file:
        json.dump({"window": [{"hosts": [host], "start": "in 1mins"}]}, file)
    cluster.tepui("maintenance", "schedule", schedule)
    cluster.tepui("maintenance", "start", host)
    agent = cluster.agents[0]
    agent.process.wait(20)
    cluster.processes.remove(agent)
    expect_equal(cluster.rows("agents"), [], "the agents")
    expect_equal(machines(cluster)[0]["mode"], "down", "the machine")
    cluster.tepui("maintenance", "stop", host)
    cluster.wait_registered(cluster.start_agent())


def commands_that_make_no_sense_are_refused_with_a_reason(cluster):
    small(cluster)
    refused(cluster, "all guarantees together are 100 cpus",
            "quota", "set", "eng", "--guarantee=cpus:100")
    refused(cluster, "above its limit",
            "quota", "set", "eng", "--guarantee=cpus:2", "--limit=cpus:1")
    quotas = cluster.path("quotas.toml")
    with open(quotas, "w", encoding="utf-8") as file:
        file.write('[ops]\nlimit = "cpus:1"\n[eng]\nguarantee = "cpus:100"\n')
    refused(cluster, "all guarantees together are 100 cpus", "quota", "set", f"--file={quotas}")
    expect_equal(role(cluster, "ops"), None, "the other role of a file that is refused")
    answer = cluster.tepui("quota", "set", f"--file={quotas}", "--json", check=False).stdout
    expect_equal(json.loads(answer)["done"], False, "what a script is told of a refusal")
    expect("all guarantees together" in json.loads(answer)["error"], answer)
    answer = cluster.tepui("quota", "set", f"--file={quotas}", "--force", "--json").stdout
    expect_equal(json.loads(answer), {"done": True}, "what a script is told")
    expect_equal(role(cluster, "ops")["limits"], {"cpus": 1}, "the limits of ops")
    expect("cpus" in cluster.tepui("quota", "show", "ops").stdout, "quota show has no cpus")
    with open(quotas, "w", encoding="utf-8") as file:
        file.write("[ops]\n[eng]\n")
    cluster.tepui("quota", "set", f"--file={quotas}")
    refused(cluster, "cannot weigh 0", "weights", "set", "eng=0")
    refused(cluster, "is not known", "teardown", "nobody")
    for status, arguments in ((2, ["quota", "raise", "eng"]), (2, ["quota", "set", "eng"]),
                              (2, ["quota", "set", "eng", "--limit=ports:[1-2]"]),
                              (2, ["weights", "set", "eng"]), (3, ["drain", "nobody"]),
                              (3, ["why", "nobody"]), (3, ["agents", "nobody"]),
                              (3, ["quota", "show", "nobody"]), (3, ["weights", "show", "nobody"]),
                              (2, ["quota", "set", "eng", f"--file={quotas}"]),
                              (2, ["maintenance", "schedule", "/no/such/file"])):
        done = cluster.tepui(*arguments, check=False)
        expect_equal(done.returncode, status, f"the status of {' '.join(arguments)}")
        expect(done.stderr.strip(), f"{' '.join(arguments)} says nothing")
    expect_equal(role(cluster, "eng"), None, "the role after all that")


def only_agents_of_the_whitelist_are_offered(cluster):
    whitelist = cluster.path("whitelist")
    with open(whitelist, "w", encoding="utf-8") as file:
        file.write("# nobody yet\n")
    cluster.start_master(f"--agent-whitelist={whitelist}")
    cluster.wait_registered(cluster.start_agent())
    host = cluster.rows("agents")[0]["hostname"]
    run = cluster.start_tepui("run", "--", "echo", "hello")
    wait_until(lambda: cluster.rows("frameworks"), "the framework to subscribe")
    framework = cluster.rows("frameworks")[0]["id"]
    told = json.loads(cluster.tepui("why", framework, "--json").stdout)
    expect("whitelist" in str(told), f"why says {told}")
    with open(whitelist, "w", encoding="utf-8") as file:
        file.write(host + "\n")
    out, _ = run.communicate(timeout=30)
    expect_equal(out, "hello\n", "what ran when its host was listed")


def agents_of_another_region_are_not_offered(cluster):
    cluster.start_master("--domain=us/a", "--require-agent-domain")
    silent = cluster.start_agent()
    why = silent.wait_event("master.lost")["why"]
    expect("--domain=REGION/ZONE" in why, f"an agent without a domain is told {why!r}")
    cluster.wait_registered(cluster.start_agent("--domain=eu/b"))
    expect_equal([row["domain"] for row in cluster.rows("agents")],
                 [{"region": "eu", "zone": "b"}], "the domains of agents")
    run = cluster.start_tepui("run", "--constraint=zone!=b", "--", "echo", "hello")
    wait_until(lambda: cluster.rows("frameworks"), "the framework to subscribe")
    framework = cluster.rows("frameworks")[0]["id"]
    told = json.loads(cluster.tepui("why", framework, "--json").stdout)
    expect("constraints" in told[0]["causes"][0]["why"], f"why says {told}")
    cluster.tepui("teardown", framework)
    run.communicate(timeout=30)
    run = cluster.start_tepui("run", "--constraint=zone=b", "--", "echo", "hello")
    framework = wait_until(lambda: [row["id"] for row in cluster.rows("frameworks")
                                    if row["state"] == "active"], "another framework")[0]
    told = json.loads(cluster.tepui("why", framework, "--json").stdout)
    expect("region" in told[0]["causes"][0]["why"], f"why says {told}")
    cluster.wait_registered(cluster.start_agent("--domain=us/b"))
    out, _ = run.communicate(timeout=30)
    expect_equal(out, "hello\n", "what ran when an agent of the region was there")


if __name__ == "__main__":
    sys.exit(run_tests([
        a_limit_bounds_a_batch,
        drain_empties_an_agent_and_it_comes_back,
        what_operators_set_outlives_the_master,
        a_machine_goes_down_and_comes_up,
        commands_that_make_no_sense_are_refused_with_a_reason,
        only_agents_of_the_whitelist_are_offered,
        agents_of_another_region_are_not_offered,
    ]))
