#!/usr/bin/env bash
# Shows what cwagent does, on a real Kubernetes API server: make demo.
# Everything happens in a temporary folder, with a HOME and a socket of its own.
set -euo pipefail
bin=$(cd "$1" && pwd)
export PATH="$bin:$PATH"

# import refuses to write a path into a kubeconfig that will not last.
case $bin in /tmp/*|/var/tmp/*) lasting="--plugin-path $bin/cwagent-credential" ;; *) lasting= ;; esac

work=$(mktemp -d /tmp/cwdemo.XXXXXX)
mkdir -m 700 "$work/run"
export HOME=$work XDG_RUNTIME_DIR=$work/run
unset KUBECONFIG CWAGENT_SOCKET CWAGENT_CONFIG CWAGENT_STATE_DIR XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME DBUS_SESSION_BUS_ADDRESS
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

say() { printf '\n# %s\n' "$@"; }
await() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; return 1; }
answers() { cwagent status >/dev/null 2>&1 || [ $? -ne 3 ]; }
run() { # prints a command, then runs it
  printf '$ %s\n' "$*"
  bash -c "$*" || { printf 'demo: that should have worked (exit code %d)\n' $? >&2; exit 1; }
}
fails() { # the same for one whose failure is part of the story
  local code=0
  printf '$ %s\n' "$*"
  bash -c "$*" || code=$?
  [ $code -ne 0 ] || { echo 'demo: that should have failed' >&2; exit 1; }
  printf '(exit code %d)\n' $code
}

say "A Kubernetes API server, with a stand-in for the Console that makes tokens."
testbed up "$work/bed" 2>"$work/bed.log" & pids+=($!)
await test -e "$work/bed/ready" || { cat "$work/bed.log" >&2; exit 1; }

say "What a person downloads from the Console: a kubeconfig with a token in plain text."
file=$(testbed token "$work/bed" --name prod --download .)
file=$(basename "$file")
run "grep -A3 '^users' $file"
run "kubectl --kubeconfig $file get ns"

# A keyring of its own, on a bus of its own: the person's is left alone.
ephemeral=
if command -v gnome-keyring-daemon >/dev/null && command -v dbus-daemon >/dev/null; then
  cat >"$work/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=$work/bus</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
CONF
  export XDG_DATA_HOME=$work/data DBUS_SESSION_BUS_ADDRESS=unix:path=$work/bus
  dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile 2>/dev/null & pids+=($!)
  await test -S "$work/bus"
  gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 <<<"demo" & pids+=($!)
else
  ephemeral=--ephemeral
fi
mkdir -p "$HOME/.config/cwagent"
printf 'coreweave: {endpoint: %s, caFile: %s}\n' "$(testbed url "$work/bed")" "$work/bed/ca.crt" >"$HOME/.config/cwagent/config.yaml"

say "The agent. Its config names the stand-in instead of api.coreweave.com."
[ -z "$ephemeral" ] || printf '# No keyring is installed here, so tokens stay in its memory only: --ephemeral.\n'
run "cat ~/.config/cwagent/config.yaml"
printf '$ %s\n' "cwagent agent &"
cwagent agent 2>"$work/agent.log" & pids+=($!)
await answers

say "The import: the token goes to the agent, and out of the file."
run "cwagent import --yes${ephemeral:+ $ephemeral}${lasting:+ $lasting} --expires 30d $file"
run "grep -A9 '^users' $file"
fails "grep CW-SECRET $file"

say "The agent is killed and started again: the token is still there."
if [ -z "$ephemeral" ]; then
  printf '$ kill -9 %s; cwagent agent &\n' "${pids[-1]}"
  kill -9 "${pids[-1]}"; wait "${pids[-1]}" 2>/dev/null || true
  cwagent agent 2>>"$work/agent.log" & pids+=($!)
  await answers
else
  echo "(not here: it is in memory only)"
fi

say "kubectl works as before; the plugin fetches the token for it."
run "kubectl --kubeconfig $file auth whoami"
run "kubectl --kubeconfig $file get ns"

say "A new token takes the place of the old one; the very next kubectl uses it."
run "testbed token $work/bed --name prod-2 --raw | cwagent add prod --replace --expires 8h"
run "testbed revoke $work/bed prod"
run "kubectl --kubeconfig $file get ns"

say "Another server, even one with the same certificate, gets nothing."
fails "sed 's/127.0.0.1/localhost/' $file > other; kubectl --kubeconfig other get --raw /version"

say "A revoked token is refused by the server; verify says so, too."
run "testbed revoke $work/bed prod-2"
fails "kubectl --kubeconfig $file get --raw /version"
fails "cwagent verify prod"

say "How things are (exit code 2: a token is refused)."
fails "cwagent status"
fails "cwagent status prod"
say "Done; everything is removed again."
