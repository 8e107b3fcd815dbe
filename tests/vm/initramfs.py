"""An initramfs of busybox, kernel modules and one script, written as the kernel reads it (newc)."""

import os
import shutil
import stat
import tempfile

BUSYBOX = "/bin/busybox"
HERE = os.path.dirname(os.path.abspath(__file__))


def write_initramfs(kernel, path):
    """For that kernel, at that path, whole or not at all."""
    archive = bytearray()
    inode = 0

    def add(name, mode, content=b""):
        nonlocal inode
        inode += 1
        numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        archive.extend(b"070701" + b"".join(b"%08x" % number for number in numbers))
        archive.extend(name.encode() + b"\0")
        archive.extend(b"\0" * (-len(archive) % 4))
        archive.extend(content)
        archive.extend(b"\0" * (-len(archive) % 4))

    def add_file(name, source, mode):
        with open(source, "rb") as file:
            add(name, stat.S_IFREG | mode, file.read())

    for folder in ("bin", "modules", "proc", "sys", "dev", "host", "layer", "root"):
        add(folder, stat.S_IFDIR | 0o755)
    add_file("bin/busybox", BUSYBOX, 0o755)
    add_file("init", os.path.join(HERE, "init.sh"), 0o755)
    for module in kernel.modules:
        add_file("modules/" + os.path.basename(module), module, 0o644)
    order = "".join(os.path.basename(module) + "\n" for module in kernel.modules)
    add("modules/order", stat.S_IFREG | 0o644, order.encode())
    add("TRAILER!!!", 0)
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
        file.write(archive)
    shutil.move(file.name, path)
