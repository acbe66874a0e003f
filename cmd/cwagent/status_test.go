package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/ipc"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	left := func(d time.Duration, change func(*ipc.Credential)) ipc.Status {
		return statusOf(cred("c", func(c *ipc.Credential) {
			c.Expires = after(d)
			if change != nil {
				change(c)
			}
		}))
	}
	locked := left(20*day, nil)
	locked.Agent.Locked = before(time.Hour)
	standby := func(e ipc.Expiry, d time.Duration, refused string) func(*ipc.Credential) {
		return func(c *ipc.Credential) {
			c.Standby = []ipc.Standby{{Expiry: e, Expires: after(d), Refused: refused}}
			c.Source = "standby"
		}
	}
	for _, tt := range []struct {
		name string
		s    ipc.Status
		want int
	}{
		{"none", statusOf(), 0},
		{"enough", left(4*day, nil), 0},
		{"enough, in memory only", left(4*day, func(c *ipc.Credential) { c.Saved = false }), 0},
		{"enough, though due", left(4*day, func(c *ipc.Credential) { c.State = ipc.StateDue }), 0},
		{"little", left(3*day, nil), 1},
		{"least", left(day, nil), 2},
		{"over", left(-day, func(c *ipc.Credential) { c.State = ipc.StateExpired }), 2},
		{"refused", left(20*day, func(c *ipc.Credential) { c.State = ipc.StateRefused }), 2},
		{"locked", locked, 2},
		{"nobody knows", left(0, func(c *ipc.Credential) { c.Expiry, c.Expires = ipc.ExpiryUnknown, nil }), 0},
		{"never", left(0, func(c *ipc.Credential) { c.Expiry, c.Expires = ipc.ExpiryNever, nil }), 0},
		{"another waits", left(time.Hour, standby(ipc.ExpiryKnown, 20*day, "")), 0},
		{"another waits, which lasts little longer", left(time.Hour, standby(ipc.ExpiryKnown, 2*day, "")), 1},
		{"another waits for ever", left(time.Hour, standby(ipc.ExpiryNever, 0, "")), 0},
		{"another waits in vain", left(time.Hour, standby(ipc.ExpiryKnown, 20*day, "401")), 2},
		{"a source renews it", left(time.Hour, func(c *ipc.Credential) { c.Source = "command" }), 0},
		{"a source fails", left(time.Hour, func(c *ipc.Credential) { c.Source, c.State = "command", ipc.StateDue }), 1},
	} {
		judge, err := statusFlags{warn: "3d", crit: "1d"}.judge()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := judge.of(tt.s, screenNow); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestShortWords(t *testing.T) {
	t.Parallel()
	locked := everyState()
	locked.Agent.Locked = before(time.Hour)
	due := func(d time.Duration) ipc.Status {
		return statusOf(cred("prod", func(c *ipc.Credential) { c.State, c.Expires = ipc.StateDue, after(d) }))
	}
	for want, s := range map[string]ipc.Status{
		"":               statusOf(cred("prod", nil), cred("mine", func(c *ipc.Credential) { c.Saved = false })),
		"old expired":    everyState(),
		"locked":         locked,
		"prod 3d":        due(3*day + 23*time.Hour),
		"prod 5h":        due(5*time.Hour + 59*time.Minute),
		"prod 12m":       due(12 * time.Minute),
		"prod 40s":       due(40 * time.Second),
		"prod not saved": statusOf(cred("prod", func(c *ipc.Credential) { c.Unsaved = "since noon" })),
		"prod due":       statusOf(cred("prod", func(c *ipc.Credential) { c.State, c.Expiry, c.Expires = ipc.StateDue, ipc.ExpiryNever, nil })),
		`"a\x1b" empty`:  statusOf(cred("a\x1b", func(c *ipc.Credential) { c.State = ipc.StateEmpty })),
	} {
		if got := shortWords(s, screenNow); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is written as YAML is what is written as JSON.
func TestYAML(t *testing.T) {
	t.Parallel()
	for name, s := range manyStatuses() {
		var asJSON, asYAML bytes.Buffer
		if err := writeJSON(&asJSON, s); err != nil {
			t.Fatal(err)
		}
		if err := writeYAML(&asYAML, s); err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(asJSON.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(asYAML.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(got)
		if err == nil {
			err = json.Unmarshal(again, &got)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%s", name, err, asYAML.String())
		}
	}
	var b bytes.Buffer
	if err := writeYAML(&b, everyState()); err != nil {
		t.Fatal(err)
	}
	golden(t, "states.yaml", b.String())
	b.Reset()
	if err := writeJSON(&b, everyState()); err != nil {
		t.Fatal(err)
	}
	golden(t, "states.json", b.String())
}

func TestUTF8Locale(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false},
		{"", "", "en_US.UTF-8", true},
		{"", "de_DE.utf8", "C", true},
		{"C", "", "en_US.UTF-8", false},
		{"", "en_US.ISO-8859-1", "en_US.UTF-8", false},
	} {
		env := map[string]string{"LC_ALL": tt.all, "LC_CTYPE": tt.ctype, "LANG": tt.lang}
		if got := utf8Locale(func(name string) string { return env[name] }); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// A refusal is not told of for ever.
func TestRefusalGoes(t *testing.T) {
	t.Parallel()
	for age, told := range map[time.Duration]bool{time.Minute: true, 23 * time.Hour: true, day: false} {
		c := cred("prod", func(c *ipc.Credential) { c.Refusal = &ipc.Refusal{At: *before(age)} })
		if tasks := (view{now: screenNow}).tasks(statusOf(c)); len(tasks) > 0 != told {
			t.Errorf("after %v: %q", age, tasks)
		}
	}
}
