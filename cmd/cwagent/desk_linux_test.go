package main

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cwagent/cwagent/agent/notice/desktest"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
)

// desks holds the desk of each script, by the script's folder.
var desks sync.Map

// cmdDesk gives a script a real dunst on the bus of its keyring and a screen of its own:
//
//	desk start
//	desk await N       wants that many notices on the screen, within a while
//	desk picture NAME  is kept by CI
//	desk press         presses the button of the Console of the newest one
//	desk seen FILE     takes all away, and writes into FILE what was ever there
//	desk stop|continue|kill|restart
func cmdDesk(ts *testscript.TestScript, neg bool, args []string) {
	if args = append(args, "", ""); args[0] == "start" {
		startDesk(ts)
		return
	}
	v, ok := desks.Load(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("usage: desk start, before anything else")
	}
	d := v.(*desktest.Desk)
	do := map[string]func() error{
		"press": d.Press, "stop": d.Stop, "continue": d.Continue, "restart": d.Restart,
		"kill":    func() error { d.Kill(); return nil },
		"picture": func() error { return d.Screenshot("../..", args[1]) },
		"await": func() error {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return err
			}
			return d.Await(n)
		},
		"seen": func() error {
			all, err := d.Seen()
			if err != nil {
				return err
			}
			return os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(append(all, ""), "\n")), 0o600)
		},
	}[args[0]]
	if do == nil {
		ts.Fatalf("desk %s: unknown", args[0])
	}
	ts.Check(do())
}

func startDesk(ts *testscript.TestScript) {
	v, ok := keyrings.Load(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("no keyring runs, on whose bus it would be")
	}
	dir, err := os.MkdirTemp("", "cwdesk")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	screen, err := keyringtest.StartScreen(dir)
	ts.Check(err)
	ts.Defer(screen.Close)
	d, err := desktest.Start(dir, v.(*keyringtest.Keyring).Env(), screen)
	ts.Check(err)
	ts.Defer(d.Kill)
	desks.Store(ts.MkAbs("."), d)
}

// deskMissing is missing for the scripts with notices.
func deskMissing() error { return desktest.Missing() }
