# What doctor finds in a session with a real service manager, and mends: broken, found,
# mended, well. (Tokens, keyrings and files are in cmd/cwagent/testdata/e2e/doctor*.)
. /opt/t/scripts/lib.sh
dpkg -x /opt/t/new.deb /tmp/pkg
cp /tmp/pkg/usr/bin/* /usr/bin/
person ada
unlock ada
run=/run/user/$(id -u ada)
home=/home/ada
# exits CODE ARG...: doctor leaves with that; what it says is in /tmp/said.
exits() {
  local want=$1 is=0 start=$(ms)
  shift
  as_ada cwagent doctor "$@" >/tmp/said 2>&1 || is=$?
  took=$(($(ms) - start))
  cat /tmp/said
  [ $is = "$want" ] || { echo "exit code $is, not $want"; return 1; }
}
said() { grep -qE "$1" /tmp/said || { echo "not said: $1"; return 1; }; }

say no agent, and nothing that starts one
exits 2 agent service
said '^broken: agent: no agent runs$'
said "^  seen: nobody answers at $run/cwagent/agent.sock\$"
said '^  mend: have it started now and at each login: cwagent service install \(--fix does it\)$'
said '^warning: service: nothing starts the agent at login$'
exits 0 agent service --fix --yes
said '^ok: agent, service$'
[ "$(agent start)" = manager ]

say it was stopped
as_ada systemctl --user stop cwagent.socket cwagent.service
exits 2 agent
said '^  mend: start it: cwagent service start \(--fix does it\)$'
exits 0 agent service --fix --yes

say not at login
as_ada systemctl --user disable cwagent.socket 2>/dev/null
exits 1 service
said '^warning: service: the agent is not started at login$'
said '^  seen: cwagent.socket: not enabled$'
exits 0 service --fix --yes
as_ada systemctl --user is-enabled cwagent.socket

say a unit that systemd has not read
was=$(pid)
sleep 1.1 # systemd compares times of files
as_ada sh -c 'echo "# mine" >>~/.config/systemd/user/cwagent.service'
exits 1 service
said '^warning: service: units on disk are not the ones that systemd has read$'
said '^  seen: cwagent.service: NeedDaemonReload=yes$'
exits 0 service --fix --yes
within 20 sh -c "[ \"\$(systemctl --user -M ada@ show --property=MainPID --value cwagent.service)\" != $was ]"

say where there is no session it is started as a person has started it
useradd -m eve
eve() { runuser -u eve -- env -i HOME=/home/eve PATH=/usr/bin:/bin "$@"; }
eve cwagent doctor agent >/tmp/said || true
cat /tmp/said
said '^  mend: start one: cwagent agent &$'
eve sh -c 'cwagent agent --idle-exit 8h </dev/null >/dev/null 2>&1 &'
within 20 eve cwagent status
was=$(pgrep -u eve -x cwagent)
kill -KILL $was
within 20 sh -c "! [ -e /proc/$was ]"
eve cwagent doctor agent >/tmp/said || true
cat /tmp/said
said '^  mend: start it as a person has started the last one: /usr/bin/cwagent agent --idle-exit 8h & \(--fix does it\)$'
eve cwagent doctor agent --fix --yes
pgrep -u eve -x cwagent

say the program was replaced, and the agent is the old one
dpkg -x /opt/t/old.deb /tmp/oldpkg
cp --remove-destination /tmp/oldpkg/usr/bin/* /usr/bin/
as_ada systemctl --user restart cwagent.service
within 20 as_ada cwagent status
cp --remove-destination /tmp/pkg/usr/bin/* /usr/bin/
exits 1 agent
said '^warning: agent: the agent has another version than this program$'
said '^  seen: pid [0-9]+, started by the service manager: 0.0.1$'
said '^  mend: restart it: no request fails: cwagent service restart \(--fix does it\)$'
exits 0 agent --fix --yes

say two agents, each with a state of its own
as_ada mkdir -m 700 $home/other
as_ada env CWAGENT_SOCKET=$home/other/agent.sock CWAGENT_STATE_DIR=$home/other/state sh -c 'cwagent agent >~/other/log 2>&1 & echo $! >~/other/pid'
within 20 test -S $home/other/agent.sock
two() { as_ada env CWAGENT_SOCKET=$home/other/agent.sock cwagent doctor agents "$@" >/tmp/said 2>&1; }
gone() { within 20 sh -c "! [ -e /proc/$1 ]"; }
other=$(cat $home/other/pid)
refuse two
cat /tmp/said
said '^broken: agents: 2 agents run: each has tokens that the other has not$'
said "^  seen: pid $other at $home/other/agent.sock, pid $(pid) at $run/cwagent/agent.sock\$"
said "^  mend: have the one at $home/other/agent.sock save what it can and leave \(--fix does it\)\$"
two --fix --yes
cat /tmp/said
said '^ok: agents$'
gone $other
exits 0 agents

say two agents with one state, of which one hangs
as_ada systemctl --user stop cwagent.socket cwagent.service
as_ada env CWAGENT_SOCKET=$home/other/agent.sock sh -c 'cwagent agent >~/other/log 2>&1 & echo $! >~/other/pid'
other=$(cat $home/other/pid)
within 20 grep -q serving $home/other/log
kill -STOP $other
as_ada systemctl --user start cwagent.socket cwagent.service
exits 2 agent agents
said '^broken: agent: the agent does not serve$'
said '^broken: agents: two agents run: one waits for the other to end$'
said "^  seen: .*another agent keeps its credentials there.*; pid $other is cwagent agent"
said '^  mend: end the other one, if it does not leave by itself$'
kill -KILL $other
within 20 exits 0 agent agents

say a real API server and a token, and all is well
as_ada testbed up $home/bed >$home/bed.log 2>&1 &
within 60 as_ada testbed url $home/bed
as_ada mkdir -p $home/.config/cwagent $home/.kube
as_ada sh -c 'umask 077; printf "coreweave:\n  endpoint: %s\n  caFile: /home/ada/bed/ca.crt\n" "$(testbed url /home/ada/bed)" > /home/ada/.config/cwagent/config.yaml'
as_ada sh -c 'mv "$(testbed token /home/ada/bed --name prod --download /home/ada)" /home/ada/.kube/config; chmod 600 /home/ada/.kube/config'
as_ada systemctl --user restart cwagent.service # with that config
as_ada cwagent import --yes --name prod --expires 30d >/dev/null
kube() { as_ada kubectl --request-timeout=20s get --raw /version >/dev/null; }
kube
within 20 exits 0
exits 0
echo "doctor, when all is well: $took ms"
[ $took -lt 3000 ]
said '^ok: agent, agents, service, config, sources, metrics, store, plaintext, saved, tokens, expiry, clock, kubeconfigs, import, plugin, kuberc, beside, users, servers, endpoint, lock, mode, environment$'
cp $home/.kube/config /tmp/imported

say the path of the plugin: gone, relative, with a version in it, where it was built, another one
path() { as_ada sed -i "s,command: .*cwagent-credential\$,command: $1," $home/.kube/config; }
mend() { # CODE WORDS
  exits "$1" plugin
  said "$2"
  said '^  mend: have them run /usr/bin/cwagent-credential \(--fix does it\)$'
  exits 0 plugin --fix --yes
  said '^    \+ +command: /usr/bin/cwagent-credential$'
  kube
}
path /opt/gone/cwagent-credential
mend 2 '^broken: plugin: kubectl logs in by a plugin that is not there$'
as_ada sh -c 'mkdir -p ~/.kube/bin ~/src/bin ~/Cellar/cwagent/1.2/bin; cd /usr/bin; cp cwagent-credential ~/.kube/bin/; cp cwagent-credential ~/src/bin; cp cwagent-credential ~/Cellar/cwagent/1.2/bin; touch ~/src/go.mod'
path bin/cwagent-credential
mend 1 '^warning: plugin: kubectl logs in by a relative path of the plugin'
path cwagent-credential
mend 1 '^warning: plugin: kubectl logs in by a plugin without a path'
path $home/Cellar/cwagent/1.2/bin/cwagent-credential
mend 1 '^warning: plugin: kubectl logs in by a plugin in a folder that goes with the next upgrade$'
path $home/src/bin/cwagent-credential
mend 1 '^warning: plugin: kubectl logs in by a plugin in a build folder'
path $home/.kube/bin/cwagent-credential
mend 1 '^warning: plugin: kubectl logs in by another plugin than the installed one, /usr/bin/cwagent-credential$'
cmp $home/.kube/config /tmp/imported
as_ada cwagent restore --yes >/tmp/said
cat /tmp/said
kube

say units of a package: masked by somebody, and out of reach without a session
as_ada cwagent service uninstall --yes --force >/dev/null
dpkg -i /opt/t/new.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user mask cwagent.socket cwagent.service 2>/dev/null
exits 1 service
said '^warning: service: somebody wants the agent never to run$'
said '^  seen: cwagent.service, cwagent.socket: masked$'
as_ada sh -c "$(sed -n 's/^  mend: if it is to run: //p' /tmp/said)"
as_ada cwagent service install >/dev/null
exits 0 service
eve cwagent doctor service >/tmp/said || true
cat /tmp/said
said '^not checked: service: it does not answer here: systemd, user manager$'
say done
