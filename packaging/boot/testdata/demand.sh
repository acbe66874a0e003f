# An agent that nobody has started: by the plugin, with and without a service manager.
. /opt/t/scripts/lib.sh
useradd -m ada
run=/run/user/$(id -u ada)
tmp=/tmp/cwagent-$(id -u ada)
info='{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false,"cluster":{"server":"https://x.example","config":null}}}'
# on a login node: no session, no runtime folder
login() { runuser -u ada -- env -i HOME=/home/ada PATH=/usr/bin:/bin KUBERNETES_EXEC_INFO="$info" "$@"; }
agents() { pgrep -u ada -x cwagent | wc -l; }
end() { pkill=$(pgrep -u ada -x cwagent) && kill -KILL $pkill; within 20 sh -c '! pgrep -u ada -x cwagent'; }
dpkg -x /opt/t/new.deb /tmp/pkg
cp /tmp/pkg/usr/bin/* /usr/bin/

say nobody has ever started one
refuse login cwagent-credential prod 2>/tmp/said
grep 'agent: not running' /tmp/said
refuse login cwagent servers prod 2>/tmp/said
grep '^hint: start it with: cwagent agent$' /tmp/said
[ "$(agents)" = 0 ]

say as a person has started one
login sh -c 'cwagent agent --idle-exit 8h </dev/null >/dev/null 2>&1 &'
within 20 login cwagent status
[ "$(stat -c '%a %U' $tmp/launch)" = "600 ada" ]
end
start=$(ms)
refuse login cwagent-credential prod 2>/tmp/said
echo "from no agent to its answer: $(($(ms) - start)) ms"
grep 'no such credential' /tmp/said
agent=$(pgrep -u ada -x cwagent)
[ "$(tr '\0' ' ' </proc/$agent/cmdline)" = "/usr/bin/cwagent agent --idle-exit 8h " ]
[ "$(readlink /proc/$agent/cwd) $(ps -o sid= -p $agent | tr -d ' ')" = "/ $agent" ]
for fd in 0 1 2; do [ "$(readlink /proc/$agent/fd/$fd)" = /dev/null ]; done
login cwagent service status | grep 'started by the plugin' || [ $? = 1 ]

say nothing of the caller reaches it
end
exec 7</etc/passwd
refuse login env SECRET=s3cr3t LD_PRELOAD=/nowhere XDG_CONFIG_HOME=/tmp/evil cwagent-credential prod 2>/dev/null
exec 7<&-
agent=$(pgrep -u ada -x cwagent)
refuse grep -qaE 'SECRET|LD_PRELOAD|evil' /proc/$agent/environ
refuse sh -c "ls -l /proc/$agent/fd | grep passwd"

say a command that needs an agent starts one as the plugin does, and status only says how
end
refuse login cwagent status 2>/tmp/said
grep '^hint: start it with: cwagent agent$' /tmp/said
[ "$(agents)" = 0 ]
refuse login env SECRET=s3cr3t XDG_CONFIG_HOME=/tmp/evil cwagent servers prod 2>/tmp/said
grep 'no such credential' /tmp/said
agent=$(pgrep -u ada -x cwagent)
refuse grep -qaE 'SECRET|evil' /proc/$agent/environ
login cwagent service status | grep 'started by the plugin' || [ $? = 1 ]

say a kubeconfig does not choose what is started
end
mkdir -m 700 /tmp/evil; chown ada /tmp/evil
login env CWAGENT_SOCKET=/tmp/evil/agent.sock cwagent-credential prod >/dev/null 2>&1 || true
login env XDG_RUNTIME_DIR=/tmp/evil cwagent-credential prod >/dev/null 2>&1 || true
[ "$(agents)" = 0 ]

say a record of doubtful origin is none
chmod 640 $tmp/launch; login cwagent-credential prod >/dev/null 2>&1 || true; chmod 600 $tmp/launch
chown bin $tmp/launch; login cwagent-credential prod >/dev/null 2>&1 || true; chown ada $tmp/launch
mv $tmp/launch /home/ada/l; ln -s /home/ada/l $tmp/launch; login cwagent-credential prod >/dev/null 2>&1 || true; rm $tmp/launch; mv /home/ada/l $tmp/launch
[ "$(agents)" = 0 ]

say fifty at once start one
for i in $(seq 50); do login cwagent-credential nobody 2>/tmp/crowd.$i & all="${all:-} $!"; done
for p in $all; do wait $p || true; done
[ "$(agents)" = 1 ]
[ "$(cat /tmp/crowd.* | grep -c 'no such credential')" = 50 ]
end

say one that never comes costs a moment
printf 'cwagent launch 1\0%s\0001\0/bin/true' $tmp/agent.sock >$tmp/launch
start=$(ms)
login sh -c 'for i in 1 2 3 4 5 6; do cwagent-credential prod; done' 2>/tmp/said || true
echo "six runs of the plugin: $(($(ms) - start)) ms"
[ $(($(ms) - start)) -lt 4000 ]
[ "$(grep -c 'agent: not running' /tmp/said)" = 1 ]

say the service manager starts one
rm -r $tmp
cp /tmp/pkg/usr/lib/systemd/user/* /usr/lib/systemd/user/
person ada
unlock ada
within 20 test -S $run/systemd/private
refuse test -e $run/cwagent/agent.sock
start=$(ms)
refuse as_ada env KUBERNETES_EXEC_INFO="$info" cwagent-credential prod 2>/tmp/said
echo "from no socket to the agent's answer: $(($(ms) - start)) ms"
grep 'no such credential' /tmp/said
[ "$(agent start)" = manager ]

say a command has the service manager start one, and status only says how
as_ada systemctl --user stop cwagent.socket cwagent.service
as_ada cwagent status 2>/tmp/said || [ $? = 3 ]
grep '^hint: start it with: cwagent service start$' /tmp/said
printf 's3cr3t-token-of-ada' | as_ada cwagent add first --no-verify --expires 8h --server https://x.example
[ "$(agent start)" = manager ]
as_ada cwagent forget first

say what root leaves of its runtime folder is not asked
mkdir -p -m 700 /run/user/0
as_ada env XDG_RUNTIME_DIR=/run/user/0 cwagent status
as_ada env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/run/user/0 cwagent service status | grep 'running, pid'

say a service manager that hangs costs three seconds in all, and leaves nothing behind
as_ada systemctl --user stop cwagent.socket cwagent.service
mv /usr/bin/systemctl /usr/bin/systemctl.real
printf '#!/bin/sh\nsleep 300\n' >/usr/bin/systemctl; chmod 755 /usr/bin/systemctl
start=$(ms)
as_ada env KUBERNETES_EXEC_INFO="$info" sh -c 'for i in 1 2 3 4 5 6; do cwagent-credential prod; done' 2>/tmp/said || true
took=$(($(ms) - start)); echo "six runs of the plugin: $took ms"
[ $took -lt 3500 ] # with the start of seven programs
[ "$(grep -c 'agent: not running' /tmp/said)" = 1 ]
refuse pgrep -u ada -x sleep
# nor does it keep the launch record from being tried
as_ada sh -c 'cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 as_ada cwagent status
[ "$(agent start)" = person ]
end
refuse as_ada env KUBERNETES_EXEC_INFO="$info" cwagent-credential nobody 2>/tmp/said
grep 'no such credential' /tmp/said
[ "$(agent start)" = plugin ]
end
mv /usr/bin/systemctl.real /usr/bin/systemctl

say a package comes while an agent runs that a person has started: not one lost fetch
rm /usr/lib/systemd/user/cwagent.*
as_ada systemctl --user daemon-reload
as_ada sh -c 'cwagent agent </dev/null >/home/ada/agent.log 2>&1 &'
within 20 as_ada cwagent status
[ "$(agent start)" = person ]
printf s3cr3t-token-of-ada | as_ada cwagent add own --no-verify --expires 8h --server https://x.example >/dev/null
touch /home/ada/go
as_ada env KUBERNETES_EXEC_INFO="$info" bash -c 'n=0; f=0
  while [ -e /home/ada/go ]; do cwagent-credential own >/dev/null 2>>/home/ada/lost || f=$((f+1)); n=$((n+1)); done
  echo "$n fetches, $f lost" >/home/ada/fetches' &
load=$!
within 20 sh -c '! [ -e /home/ada/never ]'
dpkg -i /opt/t/new.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
within 10 sh -c "runuser -u ada -- env XDG_RUNTIME_DIR=$run HOME=/home/ada cwagent status -o json | grep -q '\"start\": \"manager\"'"
rm /home/ada/go; wait $load
cat /home/ada/fetches; cat /home/ada/lost 2>/dev/null || true
grep -q ' 0 lost' /home/ada/fetches
grep 'leads to another socket: leaving' /home/ada/agent.log

say service install and uninstall, as a person
dpkg -P cwagent >/dev/null 2>&1
as_ada mkdir -p /home/ada/.local/bin
cp /tmp/pkg/usr/bin/* /home/ada/.local/bin/
mine() { as_ada /home/ada/.local/bin/cwagent service "$@"; }
refuse mine status
mine install
mine status
mine install >/dev/null # an upgrade in place
mine stop 2>/dev/null; mine start; mine restart
mine status -o json | grep '"running": true'
mine uninstall
refuse mine status
refuse sh -c "find /home/ada/.config/systemd -type f -o -type l | grep ."
# su has no user manager to ask
loginctl disable-linger ada
within 20 sh -c '! loginctl user-status ada'
login /home/ada/.local/bin/cwagent service install | grep 'systemctl --user start cwagent.socket'
person ada
within 10 test -S $run/cwagent/agent.sock
mine uninstall

say where no user manager answers all commands mean the same agent, and say what to do
dpkg -i /opt/t/new.deb >/dev/null
loginctl disable-linger ada
within 20 sh -c '! loginctl user-status ada'
within 20 sh -c "! test -e $run" # a little later
login sh -c 'cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 login sh -c 'cwagent status | grep ^agent'
login cwagent service status >/tmp/said
grep '^service  systemd, user manager: installed, and does not answer here; without it: cwagent agent$' /tmp/said
grep '^agent    .*, started by hand$' /tmp/said
for verb in start stop restart; do
  refuse login cwagent service $verb 2>/tmp/said
  grep "^cwagent: service: $verb: the user manager does not answer here$" /tmp/said
  grep '^hint: in a session of yours it does; without one: cwagent agent$' /tmp/said
done
login cwagent service install >/tmp/said
grep '^the units of the package are used: ' /tmp/said
grep '^where there never is one: cwagent agent$' /tmp/said
refuse sh -c "find /home/ada/.config/systemd -name 'cwagent.*' | grep ."
end

say the units of a package take the place of copies of them
person ada
unlock ada
as_ada mkdir -p /home/ada/.config/systemd/user
as_ada cp /usr/lib/systemd/user/cwagent.* /home/ada/.config/systemd/user/
as_ada cwagent service install >/tmp/said
[ "$(grep -c '^removed: /home/ada/.config/systemd/user/cwagent\.' /tmp/said)" = 2 ]
as_ada cwagent service status | grep -x ' *\(/usr/lib/systemd/user/cwagent.*\)'
say done
