#!/bin/busybox sh
# The first process of the virtual machine, in its initramfs: the host's tree, read-only over 9p,
# becomes the root under a layer in memory, and guest.sh of the source tree goes on from there.
B=/bin/busybox
fail() {
  echo "vm: $*"
  $B poweroff -f
}
$B mount -t proc none /proc
$B mount -t sysfs none /sys
$B mount -t devtmpfs none /dev
for module in $($B cat /modules/order); do
  $B insmod "/modules/$module" || echo "vm: the module $module cannot be loaded"
done
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host ||
  fail "the host's tree cannot be mounted"
$B mount -t tmpfs -o size=50% none /layer
$B mkdir /layer/upper /layer/work
$B mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work none /root ||
  fail "the layer over the host's tree cannot be mounted"
$B mount -t proc none /root/proc
$B mount -t sysfs none /root/sys
$B mount -t devtmpfs none /root/dev
$B mkdir -p /root/dev/pts /root/dev/shm
$B mount -t devpts none /root/dev/pts
$B mount -t tmpfs none /root/dev/shm
$B mount -t tmpfs none /root/run
$B mkdir /root/run/out
$B mount -t 9p -o trans=virtio,version=9p2000.L,rw,msize=262144,cache=none out /root/run/out ||
  fail "the folder for results cannot be mounted"
# The host may have had something else in its place.
$B mount -t cgroup2 none /root/sys/fs/cgroup || fail "there is no cgroup v2"
$B mount -t bpf none /root/sys/fs/bpf
$B ip link set lo up
source=$($B sed -n 's/.*tepui\.source=\([^ ]*\).*/\1/p' /proc/cmdline)
exec $B switch_root /root /bin/sh "$source/tests/vm/guest.sh" "$source"
