package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
)

// aPersonsTime is not waited for by a test that passes.
const aPersonsTime = time.Minute

// asked runs Prompt while somebody does something about it.
func asked(t *testing.T, s *Keyring, within time.Duration, do func() error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- s.Prompt(ctx) }()
	must(t, do())
	return <-answer
}

// quietly is what a person does at whom no window opens.
func quietly() error { return nil }

// left runs Prompt, and nobody answers after do.
func left(t *testing.T, s *Keyring, do func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() { answer <- s.Prompt(ctx) }()
	must(t, do())
	cancel()
	wantOnly(t, "not answered", <-answer, agent.ErrLocked, "nobody answered its prompt")
}

// wantOnly wants one answer, which is not another one as well.
func wantOnly(t *testing.T, what string, err, want error, words string) {
	t.Helper()
	for _, e := range []error{agent.ErrNotFound, agent.ErrLocked, agent.ErrRefused, agent.ErrAbsent} {
		if errors.Is(err, e) != (e == want) {
			t.Errorf("%s: %v; want %v", what, err, want)
		}
	}
	if err != nil && (want == nil || err.Error() != "unlock the keyring: "+want.Error()+": "+words) {
		t.Errorf("%s: %v; want the words %q", what, err, words)
	}
}

// The prompt is on a screen: nobody answers it, it is dismissed, it is answered.
func TestPromptUnlocks(t *testing.T) {
	t.Parallel()
	screen := keyringtest.NewScreen(t)
	_, s := realKeyring(t, keyringtest.Options{
		Locked: true, Items: map[string]string{"prod.00000001": "one"}, Prompter: screen.Prompter(),
	})
	err := asked(t, s, 5*time.Second, screen.Prompted)
	wantOnly(t, "not answered", err, agent.ErrLocked, "nobody answered its prompt")
	wantAnswer(t, s, agent.ErrLocked, `collection "login"`)

	// The window of before comes first.
	err = asked(t, s, aPersonsTime, func() error {
		must(t, screen.Type("", "Escape"))
		return screen.Answer("", "Escape")
	})
	wantOnly(t, "dismissed", err, agent.ErrRefused, "the prompt was dismissed")
	must(t, screen.Gone())
	wantAnswer(t, s, agent.ErrLocked, `collection "login"`)

	err = asked(t, s, aPersonsTime, func() error { return screen.Answer(keyringtest.Password, "Return") })
	wantOnly(t, "answered", err, nil, "")
	must(t, screen.Gone())
	wantSecret(t, s, "prod.00000001", "one")
	wantOnly(t, "open already", s.Prompt(t.Context()), nil, "")
	if !screen.Empty() {
		t.Error("what is open needs no prompt")
	}
}

// Who comes late to a window that was left finds it open, and so does the next
// who asks.
func TestPromptAnsweredLate(t *testing.T) {
	t.Parallel()
	screen := keyringtest.NewScreen(t)
	_, s := realKeyring(t, keyringtest.Options{Locked: true, Prompter: screen.Prompter()})
	left(t, s, screen.Prompted)
	err := asked(t, s, aPersonsTime, func() error { return screen.Type(keyringtest.Password, "Return") })
	wantOnly(t, "answered", err, nil, "")
	must(t, screen.Gone())
	must(t, s.Look(t.Context()))
}

// In a home that never had a keyring the prompt is for a new password.
func TestPromptMakes(t *testing.T) {
	t.Parallel()
	screen := keyringtest.NewScreen(t)
	k, s := realKeyring(t, keyringtest.Options{Fresh: true, Prompter: screen.Prompter()})
	left(t, s, screen.Prompted)
	must(t, screen.Gone())

	err := asked(t, s, aPersonsTime, func() error { return screen.Answer("", "Escape") })
	wantOnly(t, "dismissed", err, agent.ErrRefused, "the prompt was dismissed")
	must(t, screen.Gone())
	wantAnswer(t, s, agent.ErrAbsent, "no default collection")

	w := watching(t, s)
	err = asked(t, s, aPersonsTime, func() error {
		must(t, screen.Answer("new", "Tab"))
		return screen.Type("new", "Return")
	})
	wantOnly(t, "answered", err, nil, "")
	w.within("there is a collection", func() error { return nil })
	put(t, s, "prod.00000001", "one")
	if i := s.Info(); i.Plaintext || i.Why != `gnome-keyring, collection "Default_keyring"` {
		t.Errorf("%+v", i)
	}
	k.Kill()
	must(t, k.Restart())
	wantAnswer(t, s, agent.ErrLocked, `collection "Default_keyring"`)
}

// A person who has changed the default keyring since is asked about both.
func TestPromptUnlocksAll(t *testing.T) {
	t.Parallel()
	screen := keyringtest.NewScreen(t)
	k, s := realKeyring(t, keyringtest.Options{Prompter: screen.Prompter()})
	put(t, s, "prod.00000001", "one")
	must(t, k.SetDefault("new", "another"))
	k.Kill()
	must(t, k.RestartLocked())
	err := asked(t, s, aPersonsTime, func() error {
		must(t, screen.Answer("another", "Return"))
		return screen.Answer(keyringtest.Password, "Return")
	})
	wantOnly(t, "answered", err, nil, "")
	wantSecret(t, s, "prod.00000001", "one")
}

// Where no window can be shown gnome-keyring says that it was dismissed.
func TestPromptNobodyShows(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]keyringtest.Options{
		"nothing installed, locked": {Locked: true},
		"nothing installed, fresh":  {Fresh: true},
		"no screen, locked":         {Locked: true, Prompter: keyringtest.Blind},
		"no screen, fresh":          {Fresh: true, Prompter: keyringtest.Blind},
	} {
		_, s := realKeyring(t, o)
		began := time.Now()
		wantOnly(t, name, s.Prompt(t.Context()), agent.ErrAbsent, "there is nothing that could show its prompt")
		t.Logf("%s: %v", name, time.Since(began))
	}
	_, s := realKeyring(t, keyringtest.Options{Blank: true})
	wantOnly(t, "no password", s.Prompt(t.Context()), nil, "")
}

// The keyring has seconds where a person has minutes.
func TestPromptNobodyAnswers(t *testing.T) {
	t.Parallel()
	_, s := realKeyring(t, keyringtest.Options{BusOnly: true})
	wantOnly(t, "no keyring", s.Prompt(t.Context()), agent.ErrAbsent, "nobody provides org.freedesktop.secrets on the session bus")

	screen := keyringtest.NewScreen(t)
	k, _ := realKeyring(t, keyringtest.Options{Locked: true, Prompter: screen.Prompter()})
	s = NewKeyring(KeyringConfig{Getenv: k.Getenv, Wait: time.Second})
	silent := func(what string, err error) {
		t.Helper()
		if _, ok := errors.AsType[*agent.Silence](err); !ok || !errors.Is(err, agent.ErrAbsent) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, do := range map[string][2]func() error{"keyring": {k.Stop, k.Continue}, "bus": {k.StopBus, k.ContinueBus}} {
		must(t, do[0]())
		silent(what+" stopped", asked(t, s, aPersonsTime, quietly))
		must(t, do[1]())
	}

	s = NewKeyring(KeyringConfig{Getenv: k.Getenv, Wait: 10 * time.Second})
	err := asked(t, s, aPersonsTime, func() error { defer k.Kill(); return screen.Prompted() })
	wantOnly(t, "killed", err, agent.ErrAbsent, "the keyring has ended")
	must(t, screen.Gone())
	must(t, k.RestartLocked())
	err = asked(t, s, aPersonsTime, func() error { defer k.KillBus(); return screen.Prompted() })
	wantOnly(t, "bus killed", err, agent.ErrAbsent, "the session bus has ended")
}

// A keyring other than gnome-keyring is told to close its window, and believed when
// it says "dismissed", but not when it says that it is open.
func TestPromptOther(t *testing.T) {
	t.Parallel()
	o := &otherService{dflt: "/c", locked: true}
	wantOnly(t, "not answered", asked(t, o.serve(t), time.Second, quietly), agent.ErrLocked, "nobody answered its prompt")
	if got := o.told(); got != "[Unlock Prompt Dismiss]" {
		t.Errorf("it was told %v", got)
	}
	result := dbus.MakeVariant([]dbus.ObjectPath{})
	o = &otherService{dflt: "/c", locked: true, completes: []any{true, result}}
	wantOnly(t, "dismissed", o.serve(t).Prompt(t.Context()), agent.ErrRefused, "the prompt was dismissed")
	o = &otherService{dflt: "/c", locked: true, completes: []any{false, result}}
	wantOnly(t, "a lie", o.serve(t).Prompt(t.Context()), agent.ErrLocked, `collection "c"`)
}
