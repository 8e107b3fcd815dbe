"""Debian's kernels for the virtual machine, fetched with apt, verified by it, and cached.

Nothing of the host's apt is changed: sources, state and cache are folders of our own, so no root is
needed either. What is kept of a package is the kernel and the modules that the machine loads.
"""

import os
import re
import shutil
import subprocess
import tempfile

# By the name that --kernel takes: where Debian 12 has it.
SUITES = {
    "6.1": [("debian", "bookworm"), ("debian-security", "bookworm-security")],
    "6.12": [("debian", "bookworm-backports")],
}
# In the order in which they are loaded; what they need comes before them by itself.
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_blk", "ext4", "crc32c_generic",
           "loop", "quota_v2", "xfs", "veth"]


class KernelError(Exception):
    """The kernel cannot be had; the sentence says why."""


class Kernel:
    """An image, and modules in the order in which they are to be loaded."""

    def __init__(self, folder):
        self.image = os.path.join(folder, "vmlinuz")
        self.folder = folder
        with open(os.path.join(folder, "order"), encoding="ascii") as order:
            self.modules = [os.path.join(folder, name) for name in order.read().split()]


def get_kernel(version, cache):
    """The kernel of a series (a key of SUITES) from the cache, fetched if it is not there."""
    if version not in SUITES:
        raise KernelError(f"unknown kernel '{version}', expected one of {', '.join(SUITES)}")
    folder = os.path.join(cache, f"kernel-{version}")
    if not os.path.exists(os.path.join(folder, "order")):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as work:
            _fetch(version, work)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(os.path.join(work, "kept"), folder)
    return Kernel(folder)


def _run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise KernelError(f"{command[0]} {command[-1]} ended with {done.returncode}: "
                          f"{done.stderr.strip()}")
    return done.stdout


def _fetch(version, work):
    mirror = os.environ.get("TEPUI_DEBIAN_MIRROR", "http://deb.debian.org")
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    for folder in ("state/lists/partial", "cache/archives/partial", "kept", "tree"):
        os.makedirs(os.path.join(work, folder))
    with open(os.path.join(work, "sources.list"), "w", encoding="ascii") as sources:
        for archive, suite in SUITES[version]:
            sources.write(f"deb [signed-by={key}] {mirror}/{archive} {suite} main\n")
    options = ["-q", "-o", f"Dir::Etc::sourcelist={work}/sources.list",
               "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State={work}/state",
               "-o", f"Dir::Cache={work}/cache", "-o", "APT::Sandbox::User="]
    _run(["apt-get", *options, "update"])
    # The package of that name is empty and depends on the one that has the kernel.
    shown = _run(["apt-cache", *options, "show", "--no-all-versions", "linux-image-amd64"])
    package = re.search(r"^Depends: (linux-image-[^ ,\n]+)", shown, re.MULTILINE)
    if not package:
        raise KernelError(f"{mirror} has no linux-image-amd64 of series {version}")
    _run(["apt-get", *options, "download", package.group(1)], cwd=work)
    (archive,) = (name for name in os.listdir(work) if name.endswith(".deb"))
    _run(["dpkg-deb", "-x", os.path.join(work, archive), os.path.join(work, "tree")])
    _keep(os.path.join(work, "tree"), os.path.join(work, "kept"))


def _keep(tree, kept):
    boot = os.path.join(tree, "boot")
    (image,) = (name for name in os.listdir(boot) if name.startswith("vmlinuz-"))
    shutil.move(os.path.join(boot, image), os.path.join(kept, "vmlinuz"))
    paths = {}
    for folder, _, names in os.walk(os.path.join(tree, "lib", "modules")):
        for name in names:
            if name.endswith((".ko", ".ko.xz")):
                paths[name.split(".")[0].replace("-", "_")] = os.path.join(folder, name)
    order = []
    for module in MODULES:
        _add_module(module, paths, kept, order)
    with open(os.path.join(kept, "order"), "w", encoding="ascii") as file:
        file.write("".join(f"{module}.ko\n" for module in order))


def _add_module(name, paths, kept, order):
    """Copies a module after those that it depends on, as it says itself; what is built into the
    kernel has no file."""
    name = name.replace("-", "_")
    if name in order or name not in paths:
        return
    target = os.path.join(kept, f"{name}.ko")
    with open(target, "wb") as file:
        if paths[name].endswith(".xz"):
            subprocess.run(["xz", "-dc", paths[name]], stdout=file, check=True)
        else:
            with open(paths[name], "rb") as source:
                shutil.copyfileobj(source, file)
    with open(target, "rb") as file:
        needed = re.search(rb"\0depends=([^\0]*)\0", file.read())
    for one in needed.group(1).decode().split(",") if needed else []:
        if one:
            _add_module(one, paths, kept, order)
    order.append(name)
