#!/bin/sh
# Builds testbed, upstream's kubectl from the same Kubernetes release, and upstream's helm with its packages, into BIN_DIR.
#
# A build from nothing takes minutes, so the binaries rest in a cache folder under a key made of everything that goes
# into them; as long as the key stays, this only copies. Needs Go and git, and a module proxy the first time.
set -eu

if [ $# -ne 1 ] || [ -z "$1" ]; then
	echo "usage: $0 BIN_DIR" >&2
	exit 2
fi
mkdir -p "$1"
bin=$(cd "$1" && pwd)
cd "$(dirname "$0")"

# Go refuses to work without HOME, and some build systems run without one.
if [ -z "${HOME:-}" ]; then
	HOME=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6) || HOME=
	[ -n "$HOME" ] && [ -w "$HOME" ] || HOME=${TMPDIR:-/tmp}/cwagent-testbed-$(id -u)
	mkdir -p "$HOME"
	export HOME
fi
# kubectl's version is Kubernetes' own. Neither a workspace nor cgo may change what is built.
kubectl=k8s.io/kubernetes/cmd/kubectl helm=helm.sh/helm/v3/cmd/helm
version=$(sed -n 's|^.*k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' go.mod)
export GOWORK=off CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -mod=readonly"

key_of_sources() {
	{
		go env GOVERSION GOOS GOARCH GOAMD64 GOARM64
		find . -type f \( -name '*.go' ! -name '*_test.go' -o -name 'go.*' -o -name build.sh \) | LC_ALL=C sort |
			while read -r file; do
				echo "$file"
				cat "$file"
			done
	} | git hash-object --stdin | cut -c1-16
}
key=$(key_of_sources)
cache=${CWAGENT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/cwagent-testbed
mkdir -p "$cache"

install_all() {
	for name in testbed kubectl helm; do
		cmp -s "$cache/$key/$name" "$bin/$name" && continue
		# By way of a rename: the old file may be running.
		cp "$cache/$key/$name" "$bin/.$name.$$"
		mv -f "$bin/.$name.$$" "$bin/$name"
	done
	touch "$cache/$key"
}

if [ -d "$cache/$key" ]; then
	install_all
	exit
fi

# Two builds at once would only slow each other down. Where flock is missing they do, and the first to end wins.
if command -v flock >/dev/null; then
	exec 9>"$cache/lock"
	if ! flock -n 9; then
		echo "testbed: another build is running, waiting for it" >&2
		flock 9
	fi
fi
if [ -d "$cache/$key" ]; then
	install_all
	exit
fi

work=$(mktemp -d "$cache/.build.XXXXXX")
child=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || :; exit 130' INT TERM HUP

start=$(date +%s)
say() { echo "testbed: $* ($(($(date +%s) - start)) s)" >&2; }

# phase WHAT TOTAL COMMAND...: runs it, and says now and then how many lines it has written to standard error: a line a
# module when Go downloads, a line a package when it compiles. Every 5 s for a person, every 30 s for a log.
phase() {
	what=$1 total=$2
	shift 2
	say "$what"
	"$@" >"$work/out" 2>"$work/err" 9>&- &
	child=$!
	every=30 ticks=0
	[ ! -t 2 ] || every=5
	while kill -0 "$child" 2>/dev/null; do
		sleep 1
		ticks=$((ticks + 1))
		[ $((ticks % every)) -ne 0 ] || say "$what: $(wc -l <"$work/err" | tr -d ' ')$total"
	done
	if ! wait "$child"; then
		child=
		grep -v '^go: downloading \|^[a-z0-9.]*\(/[A-Za-z0-9._-]*\)*$' "$work/err" >&2 || tail -n 20 "$work/err" >&2
		echo "testbed: build: $what ended with an error" >&2
		exit 1
	fi
	child=
}

echo "testbed: building with Kubernetes $version; from nothing that takes 5 to 10 minutes on two cores" >&2
phase "find packages, download modules" " modules so far" go list -deps . "$kubectl" "$helm"
total=" of at most $(wc -l <"$work/out" | tr -d ' ') packages"
mkdir "$work/bin"
stamp="-s -w -X k8s.io/component-base/version.gitVersion=$version"
phase "compile and link" "$total" go build -v -o "$work/bin/" -ldflags "$stamp" . "$kubectl" "$helm"
say "built"
if [ "$(key_of_sources)" != "$key" ]; then
	say "the sources have changed meanwhile, once more"
	rm -rf "$work"
	exec ./build.sh "$bin"
fi

# One of two builds that ran at once may find the other's result; both are the same.
mv "$work/bin" "$cache/$key" 2>/dev/null || [ -d "$cache/$key" ]
install_all
# shellcheck disable=SC2012 # the names are ours
ls -dt "$cache"/*/ | tail -n +4 | while read -r old; do rm -rf "$old"; done
