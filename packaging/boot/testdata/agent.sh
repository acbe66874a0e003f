# One agent at a time has the state; a restart fails nobody; trouble is said, not
# suffered.
. /opt/t/scripts/lib.sh
info='{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false,"cluster":{"server":"https://x.example","config":null}}}'
plug() { as_ada env KUBERNETES_EXEC_INFO="$info" cwagent-credential "$1" >/dev/null; }
add() { printf 's3cr3t-token-of-ada-%s' "$1" | "${@:2}" cwagent add "$1" --no-verify --expires 8h --server https://x.example >/dev/null; }
unit() { as_ada systemctl --user show --property="$1" --value "${2:-cwagent.service}"; }
journal() { journalctl -o cat _UID="$(id -u ada)"; }
# took NAME LIMIT COMMAND...: it succeeds, in less than LIMIT ms.
took() {
  local start=$(ms)
  "${@:3}"
  local is=$(($(ms) - start))
  echo "$1: $is ms"
  [ $is -lt "$2" ]
}

say an agent of a time without a login leaves for the one of the login
dpkg -x /opt/t/new.deb /tmp/pkg
cp /tmp/pkg/usr/bin/* /usr/bin/
useradd -m ada
login() { runuser -u ada -- env -i HOME=/home/ada PATH=/usr/bin:/bin "$@"; }
login sh -c 'cwagent agent </dev/null >/home/ada/first.log 2>&1 &'
within 20 login cwagent status
first=$(pgrep -u ada -x cwagent)
cp /tmp/pkg/usr/lib/systemd/user/* /usr/lib/systemd/user/
person ada
unlock ada
run=/run/user/$(id -u ada)
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
within 20 as_ada cwagent status
within 20 sh -c "! [ -e /proc/$first ]"
grep 'whoever connects gets another socket by now: leaving' /home/ada/first.log
add own as_ada
plug own

say the unit sees who asks, and the journal has it, too
as_ada env KUBERNETES_EXEC_INFO="$info" bash -c 'cd /home/ada && cwagent-credential own >/dev/null; :'
within 5 sh -c "journalctl --sync; journalctl -t cwagent-audit CWAGENT_CREDENTIAL=own CWAGENT_EVENT='given out' -o cat | grep 'given out to bash <- runuser'"
as_ada cwagent log own -o json | grep '"caller":"bash <- runuser.*"exe":"/usr/bin/bash","cwd":"/home/ada"'

say a lock that cannot be had is said, and is no loop
as_ada systemctl --user stop cwagent.service
rm $run/cwagent/agent.sock.lock; as_ada mkdir $run/cwagent/agent.sock.lock
hears() { refuse plug own 2>/tmp/said && grep -q "$1" /tmp/said; } # a machine that is busy lets the plugin's own deadline pass
within 20 hears 'agent: it cannot begin: open lock: .*agent.sock.lock: is a directory'
within 20 sh -c "systemctl --user -M ada@ show --property=StatusText cwagent.service | grep 'it cannot begin: open lock'"
restarts=$(unit NRestarts)
rmdir $run/cwagent/agent.sock.lock
within 20 plug own
[ "$(unit NRestarts)" = "$restarts" ]

say while it waits for another agent it says so
as_ada systemctl --user stop cwagent.service
as_ada mkdir -p /home/ada/.config/systemd/user/cwagent.service.d
printf '[Service]\nWatchdogSec=4\n' >/home/ada/.config/systemd/user/cwagent.service.d/soon.conf
as_ada systemctl --user daemon-reload
as_ada flock -o $run/cwagent/agent.sock.lock sleep 100 &
within 20 refuse as_ada flock -n $run/cwagent/agent.sock.lock true
refuse as_ada cwagent status 2>/tmp/said
grep 'it cannot begin yet: another agent serves' /tmp/said
was=$(pid)
say where nobody reaches it, it is ended, even while it waits
as_ada python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("/home/ada/mute"); s.listen(99); time.sleep(600)' & mute=$!
within 20 test -S /home/ada/mute
mount --bind /home/ada/mute $run/cwagent/agent.sock # which no watch on the folder sees
within 20 sh -c "[ ! -e /proc/$was ]"
umount $run/cwagent/agent.sock
kill $mute
refuse as_ada cwagent status 2>/tmp/said
grep 'it cannot begin yet: another agent serves' /tmp/said
restarts=$(unit NRestarts)

say it can be told to read its config, and lives on
was=$(pid)
as_ada systemctl --user reload cwagent.service
sleep 9 # more than two watchdog intervals
[ "$(pid) $(unit NRestarts)" = "$was $restarts" ]
start=$(ms)
plug own & fetch=$!
kill $(pgrep -u ada -x sleep)
wait $fetch
echo "from a lock that is free to the answer: $(($(ms) - start)) ms"
[ "$(pid) $(unit NRestarts)" = "$was $restarts" ]
within 20 sh -c "journalctl -o cat _UID=$(id -u ada) | grep -q 'asked to read the config again'"
rm -r /home/ada/.config/systemd/user/cwagent.service.d
as_ada systemctl --user daemon-reload

say a broken config and a restart: what the keyring holds is given out
as_ada mkdir -p /home/ada/.config/cwagent
as_ada sh -c 'echo "stroe: x" >/home/ada/.config/cwagent/config.yaml'
as_ada systemctl --user restart cwagent.service
restarts=0 # from then on
took "a fetch with a broken config" 1500 plug own
as_ada cwagent status | grep 'unknown key "stroe"; tokens are given out'
[ "$(unit NRestarts)" = "$restarts" ]
as_ada rm /home/ada/.config/cwagent/config.yaml

say what the environment says of the socket is not asked by an agent that was handed one
# environment VARIABLE...: the service manager's has it too, until the next call
environment() { as_ada systemctl --user unset-environment CWAGENT_SOCKET CWAGENT_CONFIG CWAGENT_STATE_DIR; [ $# = 0 ] || as_ada systemctl --user set-environment "$@"; as_ada systemctl --user stop cwagent.service; }
environment CWAGENT_SOCKET=/home/ada/x.sock
plug own
[ "$(unit NRestarts)" = "$restarts" ]

say a reason that does not pass is said, and is no loop
for v in CWAGENT_STATE_DIR CWAGENT_CONFIG; do
  environment $v=rel/x
  within 20 hears "agent: it cannot begin: $v: rel/x is not an absolute path"
  grep '^hint: its environment is the service manager.s: systemctl --user show-environment' /tmp/said
  refuse as_ada cwagent status 2>/tmp/said
  grep "it cannot begin: $v" /tmp/said
  within 20 sh -c "systemctl --user -M ada@ show --property=StatusText cwagent.service | grep 'it cannot begin: $v'"
  [ "$(unit NRestarts)" = "$restarts" ]
done
environment
plug own

say a folder of the socket that others may enter is said, and is no loop
as_ada systemctl --user stop cwagent.service
chmod 755 $run/cwagent
within 20 hears 'socket: folder .* is open to other users (mode 755)'
refuse as_ada cwagent status 2>/tmp/said
grep 'is open to other users' /tmp/said
within 20 sh -c "systemctl --user -M ada@ show --property=StatusText cwagent.service | grep 'is open to other users'"
chmod 700 $run/cwagent
within 20 plug own
[ "$(unit NRestarts)" = "$restarts" ]

say state of a newer agent: who asks is told so, and it is no loop
state=/home/ada/.local/state/cwagent/credentials.json
as_ada systemctl --user stop cwagent.service
as_ada cp $state /home/ada/kept
as_ada sh -c "echo '{\"version\": 1000}' >$state"
within 20 hears 'it was written by a newer cwagent (form 1000'
grep 'hint: run the newer cwagent' /tmp/said
[ "$(unit NRestarts)" = "$restarts" ]
as_ada cp /home/ada/kept $state
within 20 plug own

say a restart while an answer takes long, or a source: nobody fails, nobody waits for long
cat >/tmp/silent.py <<'P'
import socket, time
s = socket.create_server(("127.0.0.1", 9443))
held = []
while True:
    held.append(s.accept())
P
python3 /tmp/silent.py & silent=$!
within 20 sh -c "grep -q :24E3 /proc/net/tcp"
printf 's3cr3t-slow-one' | as_ada cwagent add slow --no-verify --expires 8h --server https://127.0.0.1:9443 >/dev/null
as_ada sh -c 'cat >/home/ada/.config/cwagent/config.yaml' <<'C'
credentials:
- name: late
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/usr/bin/sleep, "25"], timeout: 30s}}
C
known() { { as_ada cwagent status -o name || true; } | grep -qx "$1"; }
within 20 known late
for what in 'verify slow' 'rotate late'; do
  as_ada timeout 20 cwagent $what >/home/ada/said 2>&1 & asking=$!
  within 20 sh -c "pgrep -u ada -f 'cwagent $what'"
  sleep 0.5 # it is being answered
  touch /home/ada/go
  for i in 1 2; do
    as_ada env KUBERNETES_EXEC_INFO="$info" bash -c 'n=0; f=0; worst=0
      while [ -e /home/ada/go ]; do
        s=$(date +%s%N); cwagent-credential own >/dev/null 2>>/home/ada/lost || f=$((f+1)); n=$((n+1))
        t=$((($(date +%s%N) - s) / 1000000)); [ $t -le $worst ] || worst=$t
      done; echo "$n fetches, $f failed, the slowest $worst ms" >/home/ada/load.'$i & load[i]=$!
  done
  took "a restart during cwagent $what" 1000 as_ada systemctl --user restart cwagent.service
  sleep 0.5
  rm /home/ada/go; wait "${load[1]}" "${load[2]}"
  wait $asking || true
  [ "$what" != 'rotate late' ] || grep 'told to leave before this came to an end' /home/ada/said
  cat /home/ada/load.[12] /home/ada/said; cat /home/ada/lost 2>/dev/null || true
  [ "$(cat /home/ada/load.[12] | grep -c ' 0 failed')" = 2 ]
done
kill $silent
refuse sh -c "journalctl -o cat _UID=$(id -u ada) | grep 'something hangs'"

say two restarts while the keyring hangs: the fetch gets its token from the third agent
keyring=$(pgrep -u ada -f gnome-keyring-daemon)
kill -STOP $keyring
as_ada systemctl --user restart cwagent.service
took "a fetch over a restart with a keyring that hangs" 1800 plug own & fetch=$!
sleep 0.3
as_ada systemctl --user restart cwagent.service
kill -CONT $keyring
wait $fetch

say many restarts while the keyring is being read
for i in $(seq 100); do echo $i; done | as_ada xargs -I{} sh -c 'printf "s3cr3t-{}-of-ada" | cwagent add c{} --no-verify --expires 90d --server https://x.example' >/dev/null
touch /home/ada/go
for i in 1 2; do
  as_ada env KUBERNETES_EXEC_INFO="$info" bash -c 'n=0; f=0
    while [ -e /home/ada/go ]; do n=$((n+1)); cwagent-credential c$((n % 100 + 1)) >/dev/null 2>>/home/ada/lost || f=$((f+1)); done
    echo "$n fetches, $f failed" >/home/ada/load.'$i & load[i]=$!
done
for _ in $(seq 15); do as_ada systemctl --user restart cwagent.service; sleep 0.4; done
rm /home/ada/go; wait "${load[1]}" "${load[2]}"
cat /home/ada/load.[12]; cat /home/ada/lost 2>/dev/null || true
[ "$(cat /home/ada/load.[12] | grep -c ' 0 failed')" = 2 ]

say a socket that somebody has removed comes back
for what in $run/cwagent/agent.sock $run/cwagent; do
  plug own
  was=$(pid)
  rm -r $what
  within 20 test -S $run/cwagent/agent.sock
  within 20 plug own
  within 20 sh -c "! [ -e /proc/$was ]"
  journal | grep 'the socket is gone: leaving, for a new one'
done
say also where no agent runs: a fetch has it made anew, and so does whoever starts the service
gone() { rm $run/cwagent/agent.sock; }
folder_gone() { rm -r $run/cwagent; }
file() { gone; as_ada touch $run/cwagent/agent.sock; }
dead() { gone; as_ada python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' $run/cwagent/agent.sock; }
for what in gone folder_gone file dead; do
  for mend in : 'as_ada cwagent service start' 'as_ada cwagent service restart'; do
    as_ada systemctl --user stop cwagent.service
    $what
    $mend
    took "a fetch after: $what; $mend" 1800 plug own
    [ "$(unit ActiveState cwagent.socket)" = active ]
  done
done
say also for twenty at once
as_ada systemctl --user stop cwagent.service
gone
all=
for i in $(seq 20); do plug own 2>>/tmp/crowd & all="$all $!"; done
for p in $all; do wait $p || { cat /tmp/crowd; false; }; done
say done
