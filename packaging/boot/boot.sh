#!/usr/bin/env bash
# Boots this machine's own root as a throw-away overlay under systemd-nspawn, runs
# "$@" with MACHINE set to the pid of its init, and ends it. Nothing is left behind:
# what the machine writes goes to memory. Needs root.
#   boot.sh BIND COMMAND [ARG...]     BIND is seen read-only as /opt/t
set -euo pipefail
if [ "${1:-}" != --inside ]; then
  exec unshare --mount --propagation private -- "$0" --inside "$@"
fi
shift
bind=$1
shift
top=$(mktemp -d)
mount -t tmpfs tmpfs "$top"
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || true
# nspawn makes its groups below the one that it runs in: machines that shared that
# would remove each other's, and now and then a service would not start (219/CGROUP).
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
own=$group/$(basename "$top")
mkdir "$own"
echo $$ >"$own/cgroup.procs"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
systemd-nspawn --quiet --boot --register=no --keep-unit --link-journal=no --private-network -D "$top/root" \
  --bind-ro="$bind:/opt/t" --console=pipe >"$top/console" 2>&1 </dev/null &
nspawn=$!
finish() {
  kill -KILL "$MACHINE" 2>/dev/null || true # poweroff can hang for minutes
  kill "$nspawn" 2>/dev/null || true
  wait "$nspawn" 2>/dev/null || true
  echo $$ >"$group/cgroup.procs" || true
  find "$own" -depth -type d -exec rmdir {} + 2>/dev/null || true
  umount -R "$top/root" 2>/dev/null || true
  umount "$top" 2>/dev/null || true
  rmdir "$top" 2>/dev/null || true
}
MACHINE=
trap finish EXIT
for _ in $(seq 300); do
  MACHINE=$(pgrep -P "$nspawn" | head -1) || true
  if [ -n "$MACHINE" ] && nsenter -t "$MACHINE" -m -u -i -n -p -C systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then
    break
  fi
  kill -0 "$nspawn" 2>/dev/null || { cat "$top/console" >&2; exit 1; }
  sleep 0.1
done
[ -n "$MACHINE" ] || { cat "$top/console" >&2; exit 1; }
export MACHINE
"$@"
