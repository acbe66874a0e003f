package main

import "testing"

func TestFleeting(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/usr/bin/cwagent-credential":                                  false,
		"/home/me/.local/bin/cwagent-credential":                       false,
		"/home/me/.nix-profile/bin/cwagent-credential":                 false,
		"/run/current-system/sw/bin/cwagent-credential":                false,
		"/opt/homebrew/bin/cwagent-credential":                         false,
		"/snap/bin/cwagent-credential":                                 false,
		"/nix/store/abc-cwagent-1.0/bin/cwagent-credential":            true,
		"/opt/homebrew/Cellar/cwagent/1.0/bin/cwagent-credential":      true,
		"/home/linuxbrew/.linuxbrew/Cellar/x/1/bin/cwagent-credential": true,
		"/snap/cwagent/42/bin/cwagent-credential":                      true,
		"/tmp/build/cwagent-credential":                                true,
		"/var/tmp/cwagent-credential":                                  true,
	} {
		if got := fleeting(path) != ""; got != want {
			t.Errorf("fleeting(%s) = %q", path, fleeting(path))
		}
	}
}
