package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/agent/store/keyringtest"
)

// keyrings holds the keyring of each script, by the script's folder.
var keyrings sync.Map

// cmdKeyring gives a script a real gnome-keyring on a bus of its own, and does
// to it what days do to keyrings:
//
//	keyring start|locked|blank|fresh|full
//	keyring shown            locked, and there is a screen that its prompts open on
//	keyring answer|dismiss   what a person does to the next one
//	keyring unasked          wants none to be there
//	keyring lock|unlock|stop|continue|kill|killbus|restart
func cmdKeyring(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: keyring start|locked|blank|fresh|full|shown|answer|dismiss|unasked|lock|unlock|stop|continue|kill|killbus|restart")
	}
	begin := map[string]keyringtest.Options{"start": {}, "locked": {Locked: true}, "blank": {Blank: true}, "fresh": {Fresh: true}, "full": {Items: fiveHundred()}}
	if o, ok := begin[args[0]]; ok {
		startKeyring(ts, o)
		return
	}
	if args[0] == "shown" {
		startScreen(ts)
		return
	}
	v, ok := keyrings.Load(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("no keyring runs")
	}
	k := v.(*keyringtest.Keyring)
	do := map[string]func() error{
		"lock": k.Lock, "unlock": k.Unlock, "stop": k.Stop, "continue": k.Continue, "restart": k.Restart,
		"kill":    func() error { k.Kill(); return nil },
		"killbus": func() error { k.KillBus(); return nil },
		"answer":  func() error { return screenOf(ts).Unlock() },
		"unasked": func() error {
			if !screenOf(ts).Empty() {
				return errors.New("a prompt is shown")
			}
			return nil
		},
		"dismiss": func() error { return screenOf(ts).Answer("", "Escape") },
	}[args[0]]
	if do == nil {
		ts.Fatalf("keyring %s: unknown", args[0])
	}
	ts.Check(do())
}

// screens holds the screen of each script, by the script's folder.
var screens sync.Map

func startScreen(ts *testscript.TestScript) {
	screen, err := keyringtest.StartScreen(ts.MkAbs("."))
	ts.Check(err)
	ts.Defer(screen.Close)
	screens.Store(ts.MkAbs("."), screen)
	startKeyring(ts, keyringtest.Options{Locked: true, Prompter: screen.Prompter()})
}

func screenOf(ts *testscript.TestScript) *keyringtest.Screen {
	v, ok := screens.Load(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("no screen is there")
	}
	return v.(*keyringtest.Screen)
}

// fiveHundred are items of ours that nobody knows any more.
func fiveHundred() map[string]string {
	items := map[string]string{}
	for i := range 500 {
		items[fmt.Sprintf("old cwtoken-%08x #%08x", i, i)] = "CW-SECRET-old"
	}
	return items
}

func startKeyring(ts *testscript.TestScript, o keyringtest.Options) {
	dir, err := os.MkdirTemp("", "cwkr")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	k, err := keyringtest.Start(dir, o)
	ts.Check(err)
	ts.Defer(k.Close)
	keyrings.Store(ts.MkAbs("."), k)
	for _, name := range []string{"DBUS_SESSION_BUS_ADDRESS", "XDG_DATA_HOME"} {
		ts.Setenv(name, k.Getenv(name))
	}
	ts.Setenv("KEYRING", dir)
}

// cmdTinyDisk mounts a disk of 64 kB at a folder: tinydisk DIR. Only root can.
func cmdTinyDisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"))
	ts.Defer(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// missing says what the end-to-end tests need and this machine lacks.
func missing() error { return keyringtest.Missing() }

// screenMissing is missing for the scripts with a screen.
func screenMissing() error { return keyringtest.ScreenMissing() }
