# A locked agent under a real systemd: the same process, whose watchdog is content, and
# which a restart does not unlock.
. /opt/t/scripts/lib.sh
dpkg -i /opt/t/new.deb >/dev/null
person ada
unlock ada
unit() { as_ada systemctl --user show --property="$1" --value cwagent.service; }
islocked() { [ -n "$(agent lockedSince)" ]; } # its exit code is 2
gives() { as_ada cwagent token prod --raw | grep -qx s3cr3t-of-ada; }
fed() { [ "$(unit WatchdogTimestampMonotonic)" -gt "$1" ]; }
printf s3cr3t-of-ada >/tmp/token
printf 'correct horse' >/tmp/words
chmod 644 /tmp/token /tmp/words
# the unit as it is, but for a watchdog that need not be waited for
mkdir -p /etc/systemd/user/cwagent.service.d
printf '[Service]\nWatchdogSec=2s\n' >/etc/systemd/user/cwagent.service.d/soon.conf
as_ada systemctl --user daemon-reload
as_ada cwagent add prod --no-verify --expires 8h --server https://x.example </tmp/token >/dev/null
within 20 gives

say locked: the same process, with its socket and its watchdog
before=$(pid) restarts=$(unit NRestarts)
as_ada cwagent lock --passphrase </tmp/words
within 20 islocked
[ "$(pid)" = "$before" ]
[ "$(agent start)" = manager ]
within 20 sh -c "runuser -u ada -- env XDG_RUNTIME_DIR=/run/user/$(id -u ada) systemctl --user show --property=StatusText cwagent.service | grep locked"
unit StatusText
beat=$(unit WatchdogTimestampMonotonic)
within 20 fed $((beat + 6000000)) # three times what the watchdog allows
islocked
[ "$(pid)" = "$before" ]
[ "$(unit NRestarts)" = "$restarts" ]
refuse gives 2>/tmp/said
grep '^cwagent: agent: locked since ' /tmp/said

say a restart and a crash leave it locked
as_ada systemctl --user restart cwagent.service
within 20 islocked
crashed=$(pid)
kill -KILL "$crashed"
within 20 islocked
[ "$(pid)" != "$crashed" ]

say unlocked: it gives again, within a second
refuse as_ada cwagent unlock </tmp/token 2>/tmp/said
grep 'that is not the passphrase' /tmp/said
as_ada cwagent unlock </tmp/words
start=$(ms)
within 1 gives
echo "first answer after the unlock: $(($(ms) - start)) ms"
say done
