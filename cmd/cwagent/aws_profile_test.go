package main

import (
	"maps"
	"testing"
)

func TestQuotedProgram(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/usr/bin/cwagent":            "/usr/bin/cwagent",
		"/home/me/my tools/cwagent":   `"/home/me/my tools/cwagent"`,
		"/home/m\u00e9/cwagent":       "\"/home/m\u00e9/cwagent\"",
		`C:\Program Files\cwagent`:    `"C:\Program Files\cwagent"`,
		"/home/it's mine/cwagent":     `"/home/it's mine/cwagent"`,
		`/home/"me"/cwagent`:          "",
		"/home/$me/cwagent":           "",
		"/home/`me`/cwagent":          "",
		`/home/me\/cwagent`:           "",
		"/home/me #1/cwagent":         "",
		"/home/me;/cwagent":           "",
		"/home/%me%/cwagent":          "",
		"/home/me\n[default]/cwagent": "",
	} {
		if word, ok := quotedProgram(path); ok != (want != "") || ok && word != want {
			t.Errorf("%q: %s, %v; want %s", path, word, ok, want)
		}
	}
}

// What AWS's own programs take for the profile is taken for it.
func TestProfilesIn(t *testing.T) {
	t.Parallel()
	want := map[string]string{"region": "x", "s3": "", "s3.addressing_style": "virtual"}
	for text, found := range map[string]int{
		"[profile cw]\nregion = x\ns3 =\n    addressing_style = virtual\n":                                               1,
		"\ufeff[profile cw]\r\nregion=x\r\n\r\ns3=\r\n\taddressing_style=virtual":                                        1,
		"[ profile  \"cw\" ] ; mine\n# region = y\ns3 =\n addressing_style = virtual\nregion = x":                        1,
		"[default]\nregion = y\n[profile cw]\nregion = x\ns3 =\n  addressing_style = virtual\n[profile cw2]\nregion = z": 1,
		"[profile cw2]\nregion = x\n[cw]\nregion = x\n[sso-session cw]\nregion = x\n":                                    0,
		"#[profile cw]\nregion = x\n  [profile cw]\nregion = x\n":                                                        0,
		"": 0,
	} {
		all := profilesIn(text, inConfig("cw"))
		if len(all) != found || found == 1 && !maps.Equal(all[0], want) {
			t.Errorf("%q: %v", text, all)
		}
	}
	for _, text := range []string{"[default]\nregion = x", "[profile default]\nregion = x", "['default']\nregion = x"} {
		if all := profilesIn(text, inConfig("default")); len(all) != 1 || all[0]["region"] != "x" {
			t.Errorf("%q: %v", text, all)
		}
	}
}
