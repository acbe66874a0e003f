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
grep '^cwagent: service: systemctl start cwagent.socket: ' /tmp/said
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
within 5 serving /home/ada/.local/bin/cwagent
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
within 5 serving "$odd/cwagent"
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
