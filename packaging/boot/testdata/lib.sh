# What the scripts share. They run as root in a machine that boot.sh has booted, with
# /opt/t from outside: {new,old}.{deb,rpm}, bin/ and this folder.
set -euo pipefail
rm -f /var/lib/man-db/auto-update # its index, made anew at each dpkg -i, takes most of the time
trap 'echo "FAILED at line $LINENO: $BASH_COMMAND" >&2' ERR
trap '[ $? = 0 ] || { echo "== the last of the journal"; journalctl -q -b --no-pager -o short-precise -n 60 _COMM=cwagent + _COMM=systemd; }' EXIT

say() { echo "== $*"; }
ms() { echo $(($(date +%s%N) / 1000000)); }

# person NAME: a user who is logged in, with a keyring that is unlocked. as_NAME runs
# commands as that user, in that session.
person() {
  id "$1" >/dev/null 2>&1 || useradd -m "$1"
  loginctl enable-linger "$1"
  local run=/run/user/$(id -u "$1")
  within 10 test -S "$run/bus"
  eval "as_$1() { runuser -u $1 -- env HOME=/home/$1 XDG_RUNTIME_DIR=$run DBUS_SESSION_BUS_ADDRESS=unix:path=$run/bus PATH=/usr/bin:/bin:/opt/t/bin \"\$@\"; }"
}
# The bus may start a daemon of its own meanwhile, which knows no password: until the
# one that answers is unlocked.
unlock() { within 20 unlocked "$1"; }
unlocked() {
  as_$1 sh -c 'printf secret | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null 2>&1'
  as_$1 busctl --user get-property org.freedesktop.secrets /org/freedesktop/secrets/aliases/default org.freedesktop.Secret.Collection Locked | grep -qx 'b false'
}

# within SECONDS COMMAND...: it succeeds in that time.
within() {
  local end=$(($(ms) + $1 * 1000))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(ms)" -lt $end ] || { echo "not in time: $*" >&2; "$@" || true; return 1; }
    sleep 0.02
  done
}
# refuse COMMAND...: it fails.
refuse() { if "$@"; then echo "succeeded: $*" >&2; return 1; fi; }
pid() { as_ada systemctl --user show --property=MainPID --value cwagent.service; }
# agent FIELD: of the agent that answers. The whole output is read: who writes it must
# not find nobody there.
agent() { as_ada cwagent status -o json | sed -n "/^ *\"$1\": /{s/^[^:]*: \"\{0,1\}\([^\",]*\).*/\1/p;:rest;n;b rest}"; }
