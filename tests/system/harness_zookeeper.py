"""A real ZooKeeper ensemble on loopback, from Debian's packages, for system tests."""

import os
import random
import socket
import subprocess

from harness import Failure, wait_until

JARS = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar:/usr/share/java/commons-cli.jar"
JAVA = ["java", "-Xmx384m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData", "-Dzookeeper.admin.enableServer=false", "-cp", JARS]


def free_ports(count):
    """Ports that nobody listens on now, below those that connections take by themselves."""
    found = []
    for port in random.sample(range(12000, 32000), 200 * count):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise Failure(f"there are no {count} free ports")


class Server:
    """One server of an ensemble; its data survive a restart. Ended like our own processes."""

    def __init__(self, folder, number, config, port):
        self.folder = folder
        self.number = number
        self.port = port
        self.process = None
        os.makedirs(folder)
        with open(os.path.join(folder, "myid"), "w", encoding="ascii") as file:
            file.write(f"{number}\n")
        self.config = os.path.join(folder, "zoo.cfg")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(config)

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            JAVA + ["org.apache.zookeeper.server.quorum.QuorumPeerMain", self.config],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    def terminate(self):
        self.kill()

    def end(self):
        self.kill()

    def serves(self):
        """Whether it is part of a quorum."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"srvr")
                answer = b""
                while True:
                    part = connection.recv(4096)
                    if not part:
                        break
                    answer += part
        except OSError:
            return False
        return b"Mode: " in answer


class Ensemble:
    """Some servers, started and ended with the cluster of a test."""

    def __init__(self, cluster, size=3):
        ports = free_ports(3 * size)
        client, peer, election = ports[:size], ports[size:2 * size], ports[2 * size:]
        members = "".join(f"server.{i + 1}=127.0.0.1:{peer[i]}:{election[i]}\n"
                          for i in range(size)) if size > 1 else ""
        self.servers = []
        for i in range(size):
            folder = cluster.path(f"zookeeper-{i + 1}")
            config = (f"dataDir={folder}\nclientPort={client[i]}\nclientPortAddress=127.0.0.1\n"
                      "tickTime=200\ninitLimit=20\nsyncLimit=10\nminSessionTimeout=400\n"
                      "maxSessionTimeout=60000\n4lw.commands.whitelist=*\n" + members)
            server = Server(folder, i + 1, config, client[i])
            self.servers.append(server)
            cluster.processes.insert(0, server)  # ended last: what depends on it ends before
        self.hosts = ",".join(f"127.0.0.1:{port}" for port in client)
        self.start()

    def url(self, path="/tepui"):
        return f"zk://{self.hosts}{path}"

    def start(self):
        for server in self.servers:
            if not server.running():
                server.start()
        wait_until(lambda: all(server.serves() for server in self.servers),
                   "the ZooKeeper ensemble to serve", seconds=60)

    def kill(self):
        """The whole ensemble at once."""
        for server in self.servers:
            server.kill()

    def shell(self, *words):
        """One command of ZooKeeper's own shell."""
        done = subprocess.run(
            JAVA + ["org.apache.zookeeper.ZooKeeperMain", "-server", self.hosts, *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Failure(f"the ZooKeeper shell failed: {done.stdout} {done.stderr}")
        return done.stdout
