"""One run of the virtual machine: QEMU without KVM, its console in a file, ended whatever happens."""

import os
import signal
import subprocess
import time

QEMU = "qemu-system-x86_64"
DISK_BYTES = 1 << 30  # sparse


class Machine:
    """A guest that runs; `folder` is the one it writes its results to."""

    def __init__(self, kernel, initramfs, folder, source, memory_mb=2048, processors=2):
        self.folder = folder
        self.console_path = os.path.join(folder, "console.log")
        disk = os.path.join(folder, "disk.img")
        with open(disk, "wb") as file:
            file.truncate(DISK_BYTES)
        parameters = ["console=ttyS0", "quiet", "psi=1", "panic=-1", "cgroup_no_v1=all",
                      "swapaccount=1", f"tepui.source={source}"]
        share = "security_model=none,multidevs=remap"
        # One thread for all processors: with one for each, kernels that change their own code while
        # another processor runs it (every static key, so every hook that is attached) hang or die
        # of a stray int3 now and then. It costs nothing that shows.
        command = [
            QEMU, "-accel", "tcg,thread=single", "-cpu", "max", "-smp", str(processors),
            "-m", str(memory_mb), *self._nodes(memory_mb, processors), "-display", "none", "-monitor", "none", "-vga", "none",
            "-nic", "none", "-no-reboot", "-serial", f"file:{self.console_path}",
            "-kernel", kernel.image, "-initrd", initramfs, "-append", " ".join(parameters),
            "-virtfs", f"local,path=/,mount_tag=host,readonly=on,{share}",
            "-virtfs", f"local,path={folder},mount_tag=out,{share}",
            "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe,discard=unmap",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        self._complaints = os.path.join(folder, "qemu.log")
        with open(self._complaints, "wb") as complaints:
            # It goes with us, should we be killed: the kernel sees to that, not our clean-up.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                stdout=complaints, stderr=complaints)
        self.started = time.monotonic()

    @staticmethod
    def _nodes(memory_mb, processors):
        """Each processor is a NUMA node with its part of the memory."""
        arguments = []
        for node in range(processors):
            arguments += ["-object", f"memory-backend-ram,id=m{node},size={memory_mb // processors}M",
                          "-numa", f"node,nodeid={node},cpus={node},memdev=m{node}"]
        return arguments

    def status(self):
        """What the guest ended with; None: it runs; a negative number: it ended without a word."""
        code = self._process.poll()
        if code is None:
            return None
        return code >> 1 if code & 1 and not self._said_by_qemu() else -1

    def _said_by_qemu(self):
        # QEMU's own failure to start is status 1, too; then the console never began.
        return not os.path.exists(self.console_path) or not os.path.getsize(self.console_path)

    def console_tail(self, lines=80):
        """The end of the console, and what QEMU itself complained about."""
        tail = []
        for path in (self.console_path, self._complaints):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    tail += file.read().splitlines()[-lines:]
        return tail

    def end(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
