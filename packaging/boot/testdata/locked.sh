# What the unit promises is enforced, and what the agent needs works in spite of it.
. /opt/t/scripts/lib.sh
dpkg -i /opt/t/new.deb >/dev/null
person ada
unlock ada

say each directive is enforced
cat >/tmp/probe.py <<'P'
import ctypes, errno, mmap, os, resource, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
def probe(what, f):
    try:
        r = f()
    except OSError as e:
        print(what, errno.errorcode[e.errno]); return
    print(what, "OK" if r is None or r >= 0 else errno.errorcode[ctypes.get_errno()])
def call32(): # getpid as a 32-bit program calls it, from a file that may be executed
    code = b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3" # push rbx; mov eax, 20; int 0x80; pop rbx; ret
    open("/tmp/code", "wb").write(code)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, os.open("/tmp/code", os.O_RDONLY), 0)
    return ctypes.CFUNCTYPE(ctypes.c_int)(at)()
def apart(what, f): # what may end the process, or leave it traced
    child = os.fork()
    if child == 0:
        os._exit(0 if f() >= 0 else ctypes.get_errno())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(what, "OK" if status == 0 else signal.Signals(-status).name if status < 0 else errno.errorcode[status])
# Each comes out otherwise for who is not root and has no such directive.
probe("RestrictNamespaces", lambda: libc.unshare(0x10000000))
probe("RestrictAddressFamilies", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close())
open("/tmp/suid", "w").close()
probe("RestrictSUIDSGID", lambda: os.chmod("/tmp/suid", 0o4755))
# of a policy that does not exist the kernel says EINVAL, of a real one EPERM anyway
probe("RestrictRealtime", lambda: os.sched_setscheduler(0, 99, os.sched_param(1)))
probe("LockPersonality", lambda: libc.personality(8))
probe("MemoryDenyWriteExecute", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close())
apart("SystemCallFilter", lambda: libc.ptrace(0, 0, 0, 0))
apart("SystemCallArchitectures", call32)
print("UMask", oct(os.umask(0)))
print("LimitCORE", resource.getrlimit(resource.RLIMIT_CORE))
print([l.strip() for l in open("/proc/self/status") if l.startswith("NoNewPrivs")][0])
P
chmod 644 /tmp/probe.py
# probe OUTPUT SED...: it runs as the unit has it, after that edit
probe() {
  local out=$1
  shift
  sed -e 's,^ExecStart=.*,ExecStart=/usr/bin/python3 /tmp/probe.py\nStandardOutput=file:'$out, -e 's,^Type=.*,Type=oneshot,' \
    -e '/^\(Requires\|After\|Also\|Restart\|WatchdogSec\)/d' "$@" /usr/lib/systemd/user/cwagent.service >/usr/lib/systemd/user/probe.service
  as_ada systemctl --user daemon-reload
  as_ada systemctl --user start probe.service
  cat $out
}
cat >/tmp/wanted <<'W'
RestrictNamespaces EPERM
RestrictAddressFamilies EAFNOSUPPORT
RestrictSUIDSGID EPERM
RestrictRealtime EPERM
LockPersonality EPERM
MemoryDenyWriteExecute EPERM
SystemCallFilter EPERM
SystemCallArchitectures SIGSYS
UMask 0o77
LimitCORE (0, 0)
NoNewPrivs:	1
W
probe /tmp/probed
diff /tmp/wanted /tmp/probed
# the same without: each of them can fail
probe /tmp/open -e '/^\(NoNew\|System\|Restrict\|Lock\|Memory\|UMask\|Limit\)/d'
refuse grep -xFf /tmp/wanted /tmp/open

say what it needs works: keyring, bus, network, kubeconfigs, downloads
as_ada testbed up /home/ada/bed >/home/ada/bed.log 2>&1 &
within 60 as_ada testbed url /home/ada/bed
as_ada mkdir -p /home/ada/.config/cwagent /home/ada/.kube /home/ada/Downloads /home/ada/.local/state
as_ada sh -c 'printf "coreweave:\n  endpoint: %s\n  caFile: /home/ada/bed/ca.crt\n" "$(testbed url /home/ada/bed)" > /home/ada/.config/cwagent/config.yaml'
as_ada sh -c 'mv "$(testbed token /home/ada/bed --name prod --lifetime 8h --download /home/ada)" /home/ada/.kube/config'
as_ada cp /home/ada/.kube/config /home/ada/before
as_ada cwagent import --yes --name prod --expires 8h >/dev/null 2>&1
as_ada cwagent status prod | grep -E '^(verified|saved) ' | grep -vE 'never|no'
as_ada cp /home/ada/before /home/ada/.kube/config
within 20 sh -c '! grep -q CW-SECRET /home/ada/.kube/config'
kill -KILL "$(pid)"
as_ada kubectl --request-timeout=20s get --raw /version >/dev/null

say sources run outside: setgid programs and node work, with the listed variables alone
cp /usr/bin/id /usr/bin/gid; chgrp mail /usr/bin/gid; chmod 2755 /usr/bin/gid
cat >/usr/bin/mint <<'M'
#!/bin/sh
{ gid -gn; grep NoNewPrivs /proc/self/status; env | cut -d= -f1 | sort | tr '\n' ' '; echo; command -v node >/dev/null && node -e 'console.log(6*7)'; } >/tmp/minted 2>&1
testbed token /home/ada/bed --name "minted-$$" --lifetime 1h --raw
M
printf '#!/bin/sh\nsleep 1000\n' >/usr/bin/hang
chmod 755 /usr/bin/mint /usr/bin/hang
cp /opt/t/bin/testbed /usr/bin/testbed
as_ada systemctl --user set-environment LEAK=s3cr3t
as_ada sh -c 'cat >> /home/ada/.config/cwagent/config.yaml' <<'C'
credentials:
- name: minted
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/usr/bin/mint], env: [LISTED=yes]}}
- name: hangs
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/usr/bin/hang], timeout: 1s}}
C
within 10 sh -c "runuser -u ada -- env XDG_RUNTIME_DIR=/run/user/$(id -u ada) HOME=/home/ada cwagent status minted | grep '^state *valid'"
cat /tmp/minted
[ "$(sed -n 1p /tmp/minted)" = mail ]
grep -q 'NoNewPrivs:	0' /tmp/minted
grep -q LISTED /tmp/minted
refuse grep -q LEAK /tmp/minted
! command -v node >/dev/null || grep -qx 42 /tmp/minted
refuse as_ada cwagent rotate hangs 2>/tmp/said
grep 'did not end within 1s and was killed' /tmp/said
within 20 sh -c '! pgrep -u ada -x sleep'
within 20 sh -c "! runuser -u ada -- env XDG_RUNTIME_DIR=/run/user/$(id -u ada) systemctl --user list-units --no-legend 'cwagent-source-*' | grep ."

say what a source is told nobody else hears, and it comes through as it is
cat >/usr/bin/args <<'M'
#!/bin/sh
printf '%s|' "$@" >/tmp/args
M
cat >/usr/bin/slow <<'M'
#!/bin/sh
[ "$1" = '-${API_KEY}' ] && [ "$API_KEY" = TOPSECRETVALUE ] && touch /tmp/slow && sleep 20 && echo never
M
printf '#!/nowhere\n' >/usr/bin/orphan
chmod 755 /usr/bin/args /usr/bin/slow /usr/bin/orphan
as_ada sh -c 'cat >> /home/ada/.config/cwagent/config.yaml' <<'C'
- name: args
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/usr/bin/args, "$API_KEY", "${API_KEY}", $$, "", "a b", "%h", '\'], env: [API_KEY=TOPSECRETVALUE, XDG_RUNTIME_DIR=/nowhere]}}
- name: slow
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/usr/bin/slow, "-${API_KEY}"], env: [API_KEY=TOPSECRETVALUE]}}
- name: orphan
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/usr/bin/orphan]}}
- name: killed
  servers: [{url: "https://x.example"}]
  source: {command: {argv: [/bin/sh, -c, 'echo half-of-a-token; kill -$0 $$', TERM]}}
C
within 20 test -s /tmp/args
cat /tmp/args; echo
[ "$(cat /tmp/args)" = '$API_KEY|${API_KEY}|$$||a b|%h|\|' ]
id bob >/dev/null 2>&1 || useradd bob
within 10 test -e /tmp/slow
refuse runuser -u bob -- sh -c "cat /proc/[0-9]*/cmdline 2>/dev/null | grep -a TOPSECRE[T]"
refuse grep -r TOPSECRET /run/user/$(id -u ada)/systemd
asks=$(pgrep -u ada -x systemd-run | head -1)
[ "$(tr '\0' '\n' </proc/$asks/environ | cut -d= -f1 | sort | xargs)" = "DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR" ]
refuse as_ada cwagent rotate killed 2>/tmp/said
grep 'it was killed: signal: terminated' /tmp/said
refuse as_ada cwagent rotate orphan 2>/tmp/said
grep 'the interpreter that its first line names is missing' /tmp/said
say without a session bus a source runs within the limits, and one that fails is told so
as_ada systemctl --user mask --runtime --now dbus.socket dbus.service
rm -f /run/user/$(id -u ada)/bus /tmp/args
as_ada timeout 20 cwagent rotate args >/tmp/said 2>&1 || true
[ "$(cat /tmp/args)" = '$API_KEY|${API_KEY}|$$||a b|%h|\|' ]
refuse as_ada timeout 20 cwagent rotate killed 2>/tmp/said
grep 'it was killed: signal: terminated' /tmp/said
grep '^hint: without a session bus it runs within the limits of the agent.s unit' /tmp/said
say done
