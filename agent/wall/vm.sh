#!/usr/bin/env bash
# Runs the tests of vm_linux_test.go, which set the clock and put the machine to
# sleep, in a virtual machine that is thrown away. The test program is its init;
# there is nothing else in it but the kernel.
#
# Needs Go, qemu-system-x86_64, cpio, and Debian's cloud kernel, which is only
# unpacked below ~/.cache; with KERNEL=FILE another one is taken.
set -euo pipefail
cd "$(dirname "$0")"

# Tests that have to be seen to pass. One that is skipped or never came is missing.
tests='OnTime
ClockIsSet/forward_over_it ClockIsSet/forward,_not_so_far ClockIsSet/backward
ClockIsSet/nothing_set,_forward ClockIsSet/nothing_set,_backward
KeepsToTheWall Sleeps Steps'

limit=${LIMIT:-300} # seconds for the machine: about 60 without KVM
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cwagent-vm

say() { echo "vm: $*" >&2; }

for program in go qemu-system-x86_64 cpio; do
  command -v "$program" >/dev/null || { say "$program is not installed (make deps installs it)"; exit 1; }
done

# kernel prints the path of a kernel, after fetching it if it is not there yet.
kernel() {
  local package file
  if [ -n "${KERNEL:-}" ]; then echo "$KERNEL"; return; fi
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)$/\1/p' | head -n1)
  file=$cache/vmlinuz-${package#linux-image-}
  if [ -n "$package" ] && ! [ -e "$file" ]; then
    say "fetching $package"
    if (cd "$work" && apt-get download -qq "$package" && dpkg -x ./*.deb kernel) >/dev/null 2>&1; then
      mkdir -p "$cache"
      mv "$work"/kernel/boot/vmlinuz-* "$file"
    fi
  fi
  # without a list of packages: one of before
  [ -e "$file" ] || file=$(find "$cache" -name 'vmlinuz-*' 2>/dev/null | sort -V | tail -n1)
  [ -n "$file" ] || { say 'no kernel: Debian packages are out of reach, and KERNEL is not set'; return 1; }
  echo "$file"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$(kernel)

mkdir -p "$work"/root/{proc,sys,dev,tmp}
CGO_ENABLED=0 GOARCH=amd64 go vet -tags vm .
CGO_ENABLED=0 GOARCH=amd64 go test -c -tags vm -ldflags '-s -w' -o "$work/root/init" .
(cd "$work/root" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/initrd"

# After -- come the arguments of init; a word with = before it that the kernel
# does not know becomes a variable of init.
append='console=ttyS0 quiet panic=-1 CWAGENT_WALL_VM=throw-away -- -test.v -test.timeout=4m -test.run=TestMachine'
say "starting $(basename "$image")"
start=$SECONDS
# timeout ends its own child, and nothing else. Without KVM, even where there is
# one: a nested one may not know all that a kernel asks for, and then hangs.
timeout --foreground --kill-after=5 "$limit" qemu-system-x86_64 -accel tcg \
  -m 256 -smp 2 -nodefaults -no-user-config -no-reboot -display none -serial stdio \
  -global PIIX4_PM.disable_s3=0 -rtc base=utc \
  -kernel "$image" -initrd "$work/initrd" -append "$append" </dev/null | tr -d '\r' | tee "$work/log" || true
echo

missing=0
for test in $tests; do
  grep -qF -- "--- PASS: TestMachine$test (" "$work/log" || { say "did not pass: TestMachine$test"; missing=1; }
done
grep -q '^init: exit code 0$' "$work/log" || { say 'the tests did not come to a good end'; missing=1; }
say "$((SECONDS - start)) s"
exit $missing
