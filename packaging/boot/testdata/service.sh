# The life of a package and of its service, from installing it to purging it.
. /opt/t/scripts/lib.sh

say install
dpkg -i /opt/t/old.deb >/dev/null
systemctl --global is-enabled cwagent.socket
person ada
unlock ada
within 10 test -S /run/user/$(id -u ada)/cwagent/agent.sock
[ "$(stat -c '%a %U' /run/user/$(id -u ada)/cwagent) $(stat -c '%a %U' /run/user/$(id -u ada)/cwagent/agent.sock)" = "700 ada 600 ada" ]
refuse as_ada systemctl --user is-active cwagent.service

say a real API server and a token
testbed=/opt/t/bin/testbed
as_ada testbed up /home/ada/bed >/home/ada/bed.log 2>&1 &
within 60 as_ada testbed url /home/ada/bed
as_ada mkdir -p /home/ada/.config/cwagent /home/ada/.kube
as_ada sh -c 'printf "coreweave:\n  endpoint: %s\n  caFile: /home/ada/bed/ca.crt\n" "$(testbed url /home/ada/bed)" > /home/ada/.config/cwagent/config.yaml'
as_ada sh -c 'mv "$(testbed token /home/ada/bed --name prod --lifetime 8h --download /home/ada)" /home/ada/.kube/config'
as_ada cwagent import --yes --name prod --expires 8h >/dev/null
refuse grep -q CW-SECRET /home/ada/.kube/config
kube() { as_ada kubectl --request-timeout=20s get --raw /version >/dev/null; }
kube

say with a hundred credentials the first kubectl starts the agent
as_ada sh -c 'for i in $(seq 99); do printf "s3cr3t-%s-of-ada" $i | cwagent add c$i --no-verify --expires 90d --server https://x.example; done' >/dev/null
as_ada systemctl --user stop cwagent.service
start=$(ms); kube; echo "from an inactive service to kubectl's answer: $(($(ms) - start)) ms"
within 5 sh -c "systemctl --user -M ada@ show --property=StatusText cwagent.service | grep '100 credentials, next expiry'"
echo "from exec to READY: $(as_ada systemctl --user show --property=ExecMainStartTimestampMonotonic --property=ActiveEnterTimestampMonotonic --value cwagent.service | sort -n | { read -r a; read -r b; echo $(((b - a) / 1000)); }) ms"
[ "$(agent start)" = manager ]
as_ada cwagent service status

say it comes back
for signal in SEGV KILL; do
  was=$(pid); start=$(ms)
  kill -$signal "$was"
  kube
  echo "from SIG$signal to kubectl's answer: $(($(ms) - start)) ms"
  within 5 test "$(pid)" != "$was"
done
was=$(pid)
as_ada mkdir -p /home/ada/.config/systemd/user/cwagent.service.d
printf '[Service]\nWatchdogSec=2\n' >/home/ada/.config/systemd/user/cwagent.service.d/soon.conf
as_ada systemctl --user daemon-reload
as_ada systemctl --user restart cwagent.service
sleep 5 # more than one watchdog interval: an agent that is well is left alone
was=$(pid); restarts=$(as_ada systemctl --user show --property=NRestarts --value cwagent.service)
[ "$restarts" = 0 ]
start=$(ms)
kill -STOP "$was"
within 10 sh -c "[ ! -e /proc/$was ]"
kube
echo "from SIGSTOP to kubectl's answer, with a watchdog of 2 s: $(($(ms) - start)) ms"
rm -r /home/ada/.config/systemd/user/cwagent.service.d
as_ada systemctl --user daemon-reload

say reload
as_ada sh -c 'printf "logLevel: debug\n" >> /home/ada/.config/cwagent/config.yaml'
as_ada systemctl --user reload cwagent.service
within 5 sh -c "journalctl _UID=$(id -u ada) -o cat | grep -q 'asked to read the config again'"
refuse sh -c "journalctl -o cat | grep CW-SECRET"

say nobody else is served
person bob
refuse as_bob env CWAGENT_SOCKET=/run/user/$(id -u ada)/cwagent/agent.sock cwagent status 2>/tmp/refused
grep 'permission denied' /tmp/refused

say upgrade and restarts under load
touch /home/ada/go
as_ada bash -c 'n=0; f=0; worst=0
  while [ -e /home/ada/go ]; do
    s=$(date +%s%N); kubectl --request-timeout=20s get --raw /version >/dev/null 2>>/home/ada/load.err || f=$((f+1)); n=$((n+1))
    t=$((($(date +%s%N) - s) / 1000000)); [ $t -le $worst ] || worst=$t
    [ $t -ge 100 ] || sleep 0.$(printf %03d $((100 - t)))
  done; echo "$n calls of kubectl, $f failed, the slowest $worst ms" > /home/ada/load' &
load=$!
sleep 1
old=$(agent version)
dpkg -i /opt/t/new.deb >/dev/null
within 20 sh -c "[ \"\$(runuser -u ada -- env XDG_RUNTIME_DIR=/run/user/$(id -u ada) HOME=/home/ada cwagent status -o json | grep -c '\"version\": \"$old\"')\" = 0 ]"
for _ in 1 2 3; do as_ada cwagent service restart; sleep 0.5; done
as_ada systemctl --user restart cwagent.socket
sleep 1
rm /home/ada/go; wait $load
echo "from $old to $(agent version): $(cat /home/ada/load)"
cat /home/ada/load.err 2>/dev/null || true
grep -q ' 0 failed' /home/ada/load

say logout and login
as_ada systemctl --user stop cwagent.service # its keyring is about to go
loginctl disable-linger ada
within 20 sh -c "! loginctl user-status ada"
person ada
unlock ada
within 10 test -S /run/user/$(id -u ada)/cwagent/agent.sock
as_ada testbed up /home/ada/bed >/home/ada/bed.log 2>&1 &
within 60 as_ada kubectl --request-timeout=5s get --raw /version

say remove and purge
dpkg -r cwagent 2>/tmp/removed >&2
grep 'cwagent restore --all' /tmp/removed
within 10 sh -c "! pgrep -x cwagent"
refuse systemctl --global is-enabled cwagent.socket
test -s /home/ada/.local/state/cwagent/credentials.json
dpkg -P cwagent >/dev/null 2>&1
refuse sh -c "find /usr /etc -name '*cwagent*' -not -path '/usr/src/*' -not -path '/usr/local/*' | grep ."
say done
