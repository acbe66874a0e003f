# What installing, removing and restarting leave behind, by a person and by packages.
. /opt/t/scripts/lib.sh
info='{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false,"cluster":{"server":"https://x.example","config":null}}}'
dpkg -x /opt/t/new.deb /tmp/pkg
person ada
unlock ada
run=/run/user/$(id -u ada)
as_ada mkdir -p /home/ada/.local/bin
cp /tmp/pkg/usr/bin/* /home/ada/.local/bin/
mine() { as_ada /home/ada/.local/bin/cwagent service "$@"; }
plug() { as_ada env KUBERNETES_EXEC_INFO="$info" /home/ada/.local/bin/cwagent-credential "$@"; }
units() { find /home/ada/.config/systemd -name 'cwagent*' \( -type f -o -type l \) 2>/dev/null || true; }
none() { [ -z "$(units)" ] && refuse as_ada systemctl --user is-active cwagent.socket; }
serving() { [ "$(readlink "/proc/$(pid)/exe")" = "$1" ] && mine status; }

say what cannot be started leaves nothing behind
rm -rf $run/cwagent
as_ada touch $run/cwagent
refuse mine install 2>/tmp/said
grep '^cwagent: service: systemctl restart cwagent.socket: ' /tmp/said
grep '^hint: it is as it was before; ' /tmp/said
none
rm $run/cwagent

say an upgrade that cannot be started leaves the old one running
mine install
units | xargs cat >/tmp/before
as_ada mkdir -p /home/ada/.config/systemd/user/cwagent.service.d /home/ada/other
printf '[Service]\nExecStartPre=/bin/grep -q /home/ada/.local/ /home/ada/.config/systemd/user/cwagent.service\n' >/home/ada/.config/systemd/user/cwagent.service.d/only.conf
ln /home/ada/.local/bin/* /home/ada/other/
refuse as_ada /home/ada/other/cwagent service install 2>/tmp/said
grep '^cwagent: service: systemctl restart cwagent.service: ' /tmp/said
rm -r /home/ada/.config/systemd/user/cwagent.service.d
units | xargs cat | cmp - /tmp/before
within 20 serving /home/ada/.local/bin/cwagent
mine uninstall
none

say a path that systemd cannot start is refused, any other is taken
cp -r /home/ada/.local/bin /home/ada/program
for odd in 'a$b' "a'b" 'a"b' 'a\b'; do
  mv /home/ada/program "/home/ada/$odd"
  refuse as_ada "/home/ada/$odd/cwagent" service install 2>/tmp/said
  grep '^cwagent: service: systemd starts no program with ' /tmp/said
  grep -q '^hint: install it at another path' /tmp/said
  none
  mv "/home/ada/$odd" /home/ada/program
done
odd='/home/ada/ä b {{c}} 50%h'
mv /home/ada/program "$odd"
as_ada "$odd/cwagent" service install
within 20 serving "$odd/cwagent"
as_ada "$odd/cwagent" service uninstall
none

say a user manager that looks elsewhere
useradd -m eve
elsewhere=/run/systemd/system/user@$(id -u eve).service.d
mkdir -p "$elsewhere"
printf '[Service]\nEnvironment="XDG_CONFIG_HOME=/home/eve/con fig"\n' >"$elsewhere/config.conf"
systemctl daemon-reload
person eve
cp -r /tmp/pkg/usr/bin /home/eve/bin
as_eve /home/eve/bin/cwagent service install
test -s "/home/eve/con fig/systemd/user/cwagent.service"
as_eve /home/eve/bin/cwagent service status | grep 'running, pid'
as_eve /home/eve/bin/cwagent service uninstall
refuse sh -c "find /home/eve -name 'cwagent.*' | grep ."

say a user manager that does not answer keeps nobody
person dan
unit=user@$(id -u dan).service
manager=$(systemctl show --property=MainPID --value "$unit")
kill -STOP "$manager"
began=$(ms)
refuse as_dan timeout 30 /tmp/pkg/usr/bin/cwagent service status 2>/tmp/said
took=$(($(ms) - began))
cat /tmp/said
echo "service status: $took ms"
[ $took -lt 15000 ]
grep -qx 'cwagent: service: the user manager does not answer' /tmp/said
grep -qx "hint: log out everywhere and in again; or, as root: systemctl restart $unit" /tmp/said
for signal in INT TERM; do
  code=0
  as_dan timeout --preserve-status -k 5 -s $signal 1 /tmp/pkg/usr/bin/cwagent service restart 2>/tmp/said || code=$?
  echo "$signal: exit code $code"
  cat /tmp/said
  [ $code = 130 ]
  grep -qx 'cwagent: interrupted' /tmp/said
done
kill -CONT "$manager"
within 10 as_dan systemctl --user show

say tokens in memory only are not lost unasked
hold() { printf 's3cr3t-of-ada-in-memory' | as_ada /home/ada/.local/bin/cwagent add brief --ephemeral --no-verify --expires 8h --server https://x.example "$@" >/dev/null; }
holds() { plug brief | grep -q s3cr3t-of-ada; }
refused() { # by what is said, and nothing is lost
  refuse mine "$@" 2>/tmp/said
  grep -q "^cwagent: service: $why" /tmp/said
  grep -q '^hint: .*insist with --force' /tmp/said
}
mine install
hold
why='the running agent has tokens in memory only, which are gone when it leaves: brief$'
for verb in install restart stop uninstall; do refused $verb; done
mine start # it goes on
holds
kill -STOP "$(pid)"
was=$(pid) why='the running agent may have tokens in memory only: agent: '
for verb in install restart; do refused $verb; done
kill -CONT "$was"
within 20 holds
mine restart --force
refuse holds

say what could not be saved is saved when it is asked to leave
unlock ada
printf 's3cr3t-one-of-ada' | as_ada /home/ada/.local/bin/cwagent add late --no-verify --expires 8h --server https://x.example >/dev/null
keyring=$(pgrep -u ada -x gnome-keyring-d)
kill -STOP $keyring
printf 's3cr3t-two-of-ada' | as_ada /home/ada/.local/bin/cwagent add late --replace --no-verify --expires 8h --server https://x.example >/dev/null
why='the running agent has tokens in memory only, which are gone when it leaves: late$'
refused restart
kill -CONT $keyring
mine restart
within 20 sh -c "$(declare -f plug as_ada); info='$info' plug late | grep -q s3cr3t-two"
as_ada /home/ada/.local/bin/cwagent forget late
mine stop
as_ada systemctl --user stop cwagent.socket
as_ada sh -c '/home/ada/.local/bin/cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 as_ada sh -c '/home/ada/.local/bin/cwagent status | grep ^agent'
hold --replace
why='the running agent has tokens in memory only, which are gone when it leaves: brief$'
for verb in install restart; do refused $verb; done
mine stop # another one
holds

say nor where the socket of the manager takes over: they are handed on
mine start
within 20 holds
within 20 sh -c "systemctl --user -M ada@ is-active cwagent.service"
mine stop --force
as_ada systemctl --user stop cwagent.socket
as_ada sh -c '/home/ada/.local/bin/cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 as_ada sh -c '/home/ada/.local/bin/cwagent status | grep ^agent'
hold --replace
as_ada systemctl --user start cwagent.socket
within 20 holds
mine restart --force
refuse holds 2>/dev/null
mine uninstall
within 20 sh -c '! pgrep -u ada -x cwagent'

say nor by an upgrade of the package
dpkg -i /opt/t/old.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
hold --replace
was=$(pid)
dpkg -i /opt/t/new.deb 2>&1 >/dev/null | grep "^cwagent: user ada: the agent was not restarted; cwagent service restart does it, or says why not$"
[ "$(pid)" = "$was" ] && holds
for status in status 'service status'; do
  { as_ada cwagent $status || true; } | grep '^ *this program is 0.0.2; the agent is that, too, after: cwagent service restart$'
done
mine restart --force
{ as_ada cwagent status || true; } | refuse grep 'this program is'
dpkg -i /opt/t/old.deb 2>&1 >/dev/null | refuse grep '^cwagent:'
[ "$(pid)" != "$was" ]
dpkg -P cwagent >/dev/null 2>&1

say uninstall says what starts it again, and leaves nothing else that would
dpkg -i /opt/t/new.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
as_ada cwagent service uninstall >/tmp/said
cat /tmp/said
refuse grep 'not at login any more' /tmp/said
grep '^a package has it enabled for everybody: ' /tmp/said
as_ada bash -c "$(grep '^  systemctl ' /tmp/said)" 2>/dev/null
refuse plug own 2>/tmp/said
grep 'agent: not running' /tmp/said
as_ada cwagent service uninstall >/tmp/said
refuse grep -E '^(removed|a package)' /tmp/said
[ "$(units | wc -l)" = 2 ]
as_ada systemctl --user unmask cwagent.socket cwagent.service 2>/dev/null
dpkg -P cwagent >/dev/null 2>&1
as_ada sh -c '/home/ada/.local/bin/cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 as_ada sh -c '/home/ada/.local/bin/cwagent status | grep ^agent'
mine install
test -e $run/cwagent/launch
mine uninstall
within 20 sh -c '! pgrep -u ada -x cwagent'
refuse plug own 2>/dev/null
refuse pgrep -u ada -x cwagent

say a socket that has been removed is made again
mine install
for verb in start restart; do
  was=$(pid)
  rm -r $run/cwagent
  within 10 sh -c "[ ! -e /proc/$was ]" # it has asked for a new socket, and left
  mine $verb
  within 20 mine status
  mine status | grep "started by the service manager"
done
rm -r $run/cwagent
mine install
mine status
mine uninstall

say a socket that is masked for everybody keeps no package from being installed and removed
systemctl --quiet --global mask cwagent.socket
dpkg -i /opt/t/new.deb 2>&1 >/dev/null | grep '^cwagent: cwagent.socket is not enabled for users: is it masked?$'
dpkg -s cwagent | grep '^Status: install ok installed'
refuse as_ada cwagent service install 2>/tmp/said
grep '^cwagent: service: cwagent.socket is masked: it is not to run$' /tmp/said
grep -x 'hint: systemctl --global unmask cwagent.socket, if the administrator of this machine agrees' /tmp/said
refuse mine install 2>/dev/null
none
dpkg -P cwagent >/dev/null 2>&1
systemctl --quiet --global unmask cwagent.socket
dpkg -i /opt/t/new.deb >/dev/null
test -L /etc/systemd/user/sockets.target.wants/cwagent.socket
systemctl --quiet --global mask cwagent.socket
dpkg -P cwagent >/dev/null 2>&1
refuse test -L /etc/systemd/user/sockets.target.wants/cwagent.socket
systemctl --quiet --global unmask cwagent.socket

say a removal says what it ends, and who goes on
dpkg -i /opt/t/old.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
hold --replace
dpkg -r cwagent 2>/tmp/said >/dev/null
grep -x 'cwagent: user ada: the agent has tokens in memory only, or does not answer: it is stopped, and they are lost' /tmp/said
dpkg -i /opt/t/old.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
refuse holds 2>/dev/null
dpkg -r cwagent 2>/tmp/said >/dev/null
refuse grep 'user ada' /tmp/said
dpkg -i /opt/t/old.deb >/dev/null
as_ada sh -c 'cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 as_ada sh -c 'cwagent status | grep "^agent .*0\.0\.1"'
dpkg -i /opt/t/new.deb 2>&1 >/dev/null | grep -x "cwagent: user ada: an agent that was started by hand (pid $(pgrep -u ada -x cwagent)) is still the one before; cwagent service start, or ending it, replaces it"
as_ada cwagent service start
within 20 as_ada sh -c 'cwagent status | grep "^agent .*0\.0\.2"'
as_ada cwagent service stop
as_ada systemctl --user stop cwagent.socket
as_ada sh -c 'cwagent agent </dev/null >/dev/null 2>&1 &'
within 20 as_ada sh -c 'cwagent status | grep ^agent'
by_hand=$(pgrep -u ada -x cwagent)
dpkg -r cwagent 2>&1 >/dev/null | grep -x "cwagent: user ada: an agent that was started by hand goes on, and holds tokens in memory, until: kill $by_hand"
kill $by_hand
within 20 sh -c '! pgrep -u ada -x cwagent'

say no link of a person to the units of a package is left, and no mask overwritten
dpkg -i /opt/t/new.deb >/dev/null
as_ada systemctl --user daemon-reload
as_ada systemctl --user mask cwagent.service 2>/dev/null
refuse as_ada cwagent service install 2>/tmp/said
grep '^cwagent: service: cwagent.service is masked: it is not to run$' /tmp/said
for verb in start restart; do
  refuse as_ada cwagent service $verb 2>/tmp/said
  grep '^cwagent: service: cwagent.service is masked: it is not to run$' /tmp/said
  grep -x 'hint: systemctl --user unmask cwagent.service' /tmp/said
done
{ as_ada cwagent service status || true; } >/tmp/said
cat /tmp/said
grep '^service  systemd, user manager: installed, masked, which systemctl --user unmask cwagent.service ends, ' /tmp/said
refuse grep /home/ada /tmp/said
[ "$(readlink $(units))" = /dev/null ]
as_ada systemctl --user unmask cwagent.service 2>/dev/null
as_ada cwagent service install
[ "$(units | wc -l)" = 2 ]
dpkg -r cwagent >/dev/null 2>&1
none
mine install
dpkg -i /opt/t/new.deb >/dev/null
dpkg -P cwagent >/dev/null 2>&1
[ "$(units | wc -l)" = 4 ]
serving /home/ada/.local/bin/cwagent
mine uninstall

say a mask until the next boot is one, and a link of a person stays
as_ada systemctl --user mask --runtime cwagent.socket 2>/dev/null
refuse mine install 2>/tmp/said
grep -x 'cwagent: service: cwagent.socket is masked: it is not to run' /tmp/said
none
as_ada bash -c "$(sed -n 's/^hint: //p' /tmp/said)" 2>/dev/null
as_ada mkdir /home/ada/dot
sed 's/^Description=.*/Description=of ada/' /tmp/pkg/usr/lib/systemd/user/cwagent.service >/home/ada/dot/cwagent.service
as_ada ln -s /home/ada/dot/cwagent.service /home/ada/.config/systemd/user/cwagent.service
refuse mine install 2>/tmp/said
grep -x 'cwagent: service: /home/ada/.config/systemd/user/cwagent.service is a link of yours, to /home/ada/dot/cwagent.service' /tmp/said
grep -x 'hint: move it away, or go on with that: systemctl --user enable --now cwagent.service' /tmp/said
mine uninstall | grep -x 'it was not installed'
[ "$(readlink $(units))" = /home/ada/dot/cwagent.service ]
rm $(units)

say what is done is said, and nothing else
says() { echo "$1" | diff - <(mine "${@:2}"); }
mine install >/dev/null
says 'the agent ran already' start
says 'the agent is restarted' restart
says 'the agent is stopped' stop
says 'the agent did not run' stop
says 'the agent is started' start
mine uninstall | grep -x 'stopped, and not at login any more: cwagent.service'
says 'it was not installed' uninstall

say nothing has to be written where a package has it enabled
dpkg -i /opt/t/new.deb >/dev/null
as_ada systemctl --user daemon-reload
mount --bind /home/ada/.config /home/ada/.config
mount -o remount,ro,bind /home/ada/.config
as_ada cwagent service install >/tmp/said
cat /tmp/said
grep '^it stays enabled for everybody only: systemctl reenable cwagent.service cwagent.socket: ' /tmp/said
grep -x 'started, and at each login: cwagent.socket' /tmp/said
within 20 as_ada sh -c 'cwagent service status | grep "^agent"'
as_ada cwagent service uninstall >/tmp/said
grep -x 'stopped: cwagent.service' /tmp/said
refuse mine install 2>/tmp/said
cat /tmp/said
grep -x 'cwagent: service: write /home/ada/.config/systemd/user/cwagent.service: .*read-only file system' /tmp/said
[ "$(wc -l </tmp/said)" = 1 ]
umount /home/ada/.config
dpkg -P cwagent >/dev/null 2>&1

say what rpm runs
rpm() { command rpm --nodeps --ignoreos --force-debian "$@"; }
rpm -i /opt/t/old.rpm
systemctl --global is-enabled cwagent.socket
as_ada systemctl --user daemon-reload
as_ada systemctl --user start cwagent.socket
refuse plug nobody 2>/tmp/said
grep 'no such credential' /tmp/said
was=$(pid)
rpm -U /opt/t/new.rpm
[ "$(pid)" != "$was" ]
[ "$(agent version)" = 0.0.2 ]
systemctl --global is-enabled cwagent.socket # by the new one's scripts, and the old one's after them
systemctl --quiet --global disable cwagent.socket
rpm -U --oldpackage /opt/t/old.rpm
refuse systemctl --global is-enabled cwagent.socket 2>/dev/null # whoever has disabled it has meant it
command rpm -e --force-debian cwagent 2>/tmp/said
grep '^hint: .*cwagent restore --all$' /tmp/said
within 20 sh -c '! pgrep -u ada -x cwagent'
refuse test -e /usr/bin/cwagent
say done
