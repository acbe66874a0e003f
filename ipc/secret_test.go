package ipc_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cwagent/cwagent/ipc"
)

const plain = "CW-SECRET-do-not-print"

// hides wants a text to have the secret in it in no spelling.
func hides(t *testing.T, how, text string) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprint([]byte(plain)), "[]")
	for _, leak := range []string{plain, hex.EncodeToString([]byte(plain)), base64.StdEncoding.EncodeToString([]byte(plain)), decimal, "do-not"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(leak)) {
			t.Errorf("%s prints the secret: %s", how, text)
		}
	}
}

type exported struct {
	Token ipc.Secret `json:"token"`
	Name  string
}

type unexported struct{ token ipc.Secret }

func TestSecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	s := ipc.NewSecret(plain)
	hidden := unexported{s}
	if hidden.token.Reveal() != plain {
		t.Fatal("there is nothing to hide")
	}
	values := map[string]any{
		"itself":              s,
		"a pointer":           &s,
		"an exported field":   exported{Token: s},
		"a pointer to it":     &exported{Token: s},
		"an unexported field": hidden,
		"a pointer to that":   &hidden,
		"a slice":             []ipc.Secret{s},
		"a slice of structs":  []unexported{hidden},
		"a map":               map[string]ipc.Secret{"x": s},
		"a key":               map[ipc.Secret]int{s: 1},
		"an interface":        []any{s, hidden},
		"one that is lent":    ipc.Lent(plain, func() {}),
		"a lent one within":   unexported{ipc.Lent(plain, func() {})},
		"an add":              ipc.AddRequest{Name: "x", Secret: s},
		"an error":            fmt.Errorf("wrapped: %v", s),
	}
	for what, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%p", "%T", "%c", "%U", "%10.3s"} {
			hides(t, verb+" of "+what, fmt.Sprintf(verb, v))
		}
		hides(t, "Sprint of "+what, fmt.Sprint(v))
		if b, err := json.Marshal(v); err == nil {
			hides(t, "JSON of "+what, string(b))
		}
		hides(t, "slog of "+what, logged(v))
	}
}

// logged returns what slog's handlers make of v.
func logged(v any) string {
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		log := slog.New(h)
		log.Info("x", "value", v)
		log.With("value", v).WithGroup("g").Info("x", slog.Group("h", "value", v))
	}
	return b.String()
}

func TestSecretRedacted(t *testing.T) {
	t.Parallel()
	s := ipc.NewSecret(plain)
	b, err := json.Marshal(exported{Token: s, Name: "x"})
	if want := `{"token":"[secret]","Name":"x"}`; err != nil || string(b) != want {
		t.Errorf("%s (%v), want %s", b, err, want)
	}
	if got := fmt.Sprintf("%v %s %+v %#v", s, s, s, s); got != "[secret] [secret] [secret] [secret]" {
		t.Error(got)
	}
	// Nor does it show whether there is one.
	if got := fmt.Sprint(ipc.Secret{}); got != "[secret]" {
		t.Error(got)
	}
}

func TestSecretValues(t *testing.T) {
	t.Parallel()
	s := ipc.NewSecret(plain)
	var zero ipc.Secret
	switch {
	case s.Reveal() != plain, s.Empty():
		t.Error("the secret is lost")
	case zero.Reveal() != "", !zero.Empty(), !ipc.NewSecret("").Empty():
		t.Error("the zero Secret is not empty")
	case !s.Equal(ipc.NewSecret(plain)), !zero.Equal(ipc.NewSecret("")):
		t.Error("equal secrets differ")
	case s.Equal(ipc.NewSecret(plain + "x")), s.Equal(zero), zero.Equal(s):
		t.Error("different secrets are equal")
	}
}

// Only Reveal copies what is lent, and what it returns stays as it was.
func TestSecretLent(t *testing.T) {
	memory := []byte(strings.Repeat("x", 100) + plain)
	s := ipc.Lent(unsafe.String(&memory[0], len(memory)), func() {})
	same, room := ipc.NewSecret(string(memory)), make([]byte, 0, 200)
	text := s.Reveal()
	switch {
	case !s.IsLent() || same.IsLent() || (ipc.Secret{}).IsLent():
		t.Error("who is lent")
	case text != same.Reveal() || !s.Equal(same) || !same.Equal(s) || s.Empty() || s.Len() != len(memory):
		t.Error("it is another")
	case !reads(s, text) || !reads(same, text) || !reads(ipc.Secret{}, "") || !bytes.Equal(s.Append([]byte("a")), append([]byte("a"), memory...)):
		t.Error("it reads differently")
	}
	if n := testing.AllocsPerRun(100, func() {
		_ = s.Equal(same) && reads(same, text) && reads(s, text) && !s.Empty() && len(s.Append(room)) > 0
	}); n > 0 {
		t.Errorf("%v copies", n)
	}
	clear(memory)
	if text != same.Reveal() || s.Equal(same) {
		t.Error("Reveal gave no copy")
	}
}

func reads(s ipc.Secret, want string) (same bool) {
	s.Read(func(token string) { same = token == want })
	return same
}

// What is lent goes back, once, and not while somebody has it.
func TestSecretGoesBack(t *testing.T) {
	back := make(chan int, 2)
	func() {
		s := ipc.Lent(plain, func() { back <- 1 })
		runtime.GC()
		select {
		case <-back:
			t.Error("taken from whoever has it")
		default:
		}
		runtime.KeepAlive(s)
	}()
	runtime.GC()
	select {
	case <-back:
	case <-time.After(20 * time.Second):
		t.Fatal("it never went back")
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &ipc.Error{Code: ipc.CodeExpired, What: "credential \"x\": the token expired", Hint: "make a new one"}
	if got, want := e.Text(), "cwagent: credential \"x\": the token expired\nhint: make a new one\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&ipc.Error{What: "x"}).Text(), "cwagent: x\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var as *ipc.Error
	if err := fmt.Errorf("add: %w", e); !errors.As(err, &as) || as.Code != ipc.CodeExpired || err.Error() != "add: "+e.What {
		t.Errorf("wrapped: %v", err)
	}
}
