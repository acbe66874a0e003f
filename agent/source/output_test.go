package source

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

var (
	noon  = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	after = noon.Add(3 * time.Second) // when a command that was started at noon has ended
)

// jwt makes a token that says of itself what payload says.
func jwt(payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(payload)) + ".s3cr3t"
}

func execCredential(version, status string) string {
	return `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/` + version + `","spec":{"interactive":false},"status":` + status + `}`
}

func TestParse(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	for _, tt := range []struct {
		name, out string
		lifetime  time.Duration
		want      string
		expires   time.Time // zero: unknown
	}{
		{name: "bare", out: "s3cr3t", want: "s3cr3t"},
		{name: "bare, with a line break", out: "s3cr3t\n", want: "s3cr3t"},
		{name: "bare, as on Windows", out: "\ufeffs3cr3t\r\n", want: "s3cr3t"},
		{name: "bare, with a lifetime", out: "s3cr3t\n", lifetime: hour, want: "s3cr3t", expires: noon.Add(hour)},
		{name: "a JWT", out: jwt(`{"exp":1795608060}`), want: jwt(`{"exp":1795608060}`), expires: noon.Add(time.Minute)},
		{name: "a JWT that ends before its lifetime", out: jwt(`{"exp":1795608060.5}`), lifetime: hour, want: jwt(`{"exp":1795608060.5}`), expires: noon.Add(time.Minute)},
		{name: "a JWT that ends after its lifetime", out: jwt(`{"exp":1895608060}`), lifetime: hour, want: jwt(`{"exp":1895608060}`), expires: noon.Add(hour)},
		{name: "a JWT without an end", out: jwt(`{"iat":1}`), want: jwt(`{"iat":1}`)},
		{name: "a JWT with an end beyond all", out: jwt(`{"exp":1e300}`), want: jwt(`{"exp":1e300}`)},
		{name: "a JWT of another form", out: jwt(`{"exp":"soon"}`), want: jwt(`{"exp":"soon"}`)},
		{name: "ExecCredential", out: execCredential("v1", `{"token":"s3cr3t","expirationTimestamp":"2026-11-25T13:00:00Z"}`), want: "s3cr3t", expires: noon.Add(hour)},
		{name: "ExecCredential, before its lifetime", out: execCredential("v1beta1", `{"token":"s3cr3t","expirationTimestamp":"2026-11-25T14:00:00+01:00"}`), lifetime: 8 * hour, want: "s3cr3t", expires: noon.Add(hour)},
		{name: "ExecCredential without an end", out: execCredential("v1", `{"token":"s3cr3t"}`), want: "s3cr3t"},
		{name: "ExecCredential with a lifetime", out: execCredential("v1", `{"token":"s3cr3t","expirationTimestamp":null}`) + "\n", lifetime: hour, want: "s3cr3t", expires: noon.Add(hour)},
		{name: "JSON", out: `{"token":"s3cr3t"}`, want: "s3cr3t"},
		{name: "JSON, at", out: `{"token":"s3cr3t","expiresAt":"2026-11-25T13:00:00.9Z","more":[1]}`, want: "s3cr3t", expires: noon.Add(hour + 900*time.Millisecond)},
		{name: "JSON, in seconds", out: `{"token":"s3cr3t","expiresIn":3600}`, want: "s3cr3t", expires: noon.Add(hour)},
		{name: "JSON, in quoted seconds", out: `{"token":"s3cr3t","expiresIn":"3600"}`, want: "s3cr3t", expires: noon.Add(hour)},
		{name: "JSON, in parts of seconds", out: `{"token":"s3cr3t","expiresIn":3.5e3}`, want: "s3cr3t", expires: noon.Add(3500 * time.Second)},
		{name: "JSON, in hours", out: `{"token":"s3cr3t","expiresIn":"8h"}`, want: "s3cr3t", expires: noon.Add(8 * hour)},
		{name: "JSON, both", out: `{"token":"s3cr3t","expiresIn":"8h","expiresAt":"2026-11-25T13:00:00Z"}`, want: "s3cr3t", expires: noon.Add(hour)},
		{name: "JSON, nulls", out: `{"token":"s3cr3t","expiresIn":null,"expiresAt":null}`, lifetime: hour, want: "s3cr3t", expires: noon.Add(hour)},
	} {
		m, e := parse(tt.out, noon, after, tt.lifetime)
		if e != nil {
			t.Errorf("%s: %v", tt.name, e)
			continue
		}
		if m.Secret.Reveal() != tt.want || !m.Expires.Equal(tt.expires) || (m.Expiry == ipc.ExpiryKnown) == tt.expires.IsZero() {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
	if m, e := parse(jwt(`{"iat":1795607990}`), noon, after, 0); e != nil || !m.Created.Equal(noon.Add(-10*time.Second)) {
		t.Errorf("a JWT's iat: %+v, %v", m, e)
	}
}

func TestParseBad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, out, why string }{
		{"empty", "", "it printed nothing"},
		{"blank", " \n\t\r\n", "it printed nothing"},
		{"two tokens", "s3cr3t s3cr3t2\n", "it printed more than one word"},
		{"two lines", "s3cr3t\ns3cr3t2\n", "it printed more than one line"},
		{"a web page", "<!doctype html>\n<p>s3cr3t", "it printed more than one line"},
		{"quotes", `"s3cr3t"`, "it printed a token in quotes"},
		{"control characters", "s3cr3t\x1b[0m", "it printed a token with blanks, control characters or letters beyond ASCII in it"},
		{"NUL", "s3cr3t\x00", "it printed a token with blanks, control characters or letters beyond ASCII in it"},
		{"letters", "s3cr3té", "it printed a token with blanks, control characters or letters beyond ASCII in it"},
		{"too long", strings.Repeat("x", ipc.MaxPart+1), "it printed more than a token can have"},
		{"half an object", `{"token":"s3cr3t"`, "it printed JSON that cannot be read, or in another form"},
		{"two objects", `{"token":"s3cr3t"}{}`, "it printed JSON that cannot be read, or in another form"},
		{"another type", `{"token":["s3cr3t"]}`, "it printed JSON that cannot be read, or in another form"},
		{"another key", `{"secret":"s3cr3t"}`, "it printed JSON without a token"},
		{"null", `{"token":null}`, "it printed JSON without a token"},
		{"an empty token", `{"token":""}`, "it printed JSON with an empty token"},
		{"a token with a line break", `{"token":"s3cr3t\n"}`, "it printed JSON with a token with blanks, control characters or letters beyond ASCII in it"},
		{"no date", `{"token":"s3cr3t","expiresAt":"tomorrow"}`, "it printed JSON with an expiresAt that is no date"},
		{"no span", `{"token":"s3cr3t","expiresIn":"s3cr3t"}`, "it printed JSON with an expiresIn that is no time span"},
		{"no number", `{"token":"s3cr3t","expiresIn":"NaN"}`, "it printed JSON with an expiresIn that is no time span"},
		{"too far", `{"token":"s3cr3t","expiresIn":1e18}`, "it printed JSON with an expiresIn that is no time span"},
		{"ended", `{"token":"s3cr3t","expiresAt":"2026-11-25T12:00:02Z"}`, "the token expired at " + noon.Add(2*time.Second).Local().Format("2006-01-02 15:04:05 MST")},
		{"ended in time", `{"token":"s3cr3t","expiresIn":4}`, "the token lives for 1s only"},
		{"a JWT that has ended", jwt(`{"exp":1795607999}`), "the token expired at " + noon.Add(-time.Second).Local().Format("2006-01-02 15:04:05 MST")},
		{"another kind", `{"kind":"Secret","apiVersion":"v1","token":"s3cr3t"}`, "it printed JSON of another kind than ExecCredential"},
		{"an old version", execCredential("v1alpha1", `{"token":"s3cr3t"}`), "it printed an ExecCredential of an unknown version"},
		{"no status", execCredential("v1", `null`), "it printed an ExecCredential without a status"},
		{"an empty status", execCredential("v1", `{}`), "it printed JSON with an empty token"},
		{"a certificate", execCredential("v1", `{"clientCertificateData":"s3cr3t","clientKeyData":"s3cr3t"}`), "it printed a client certificate"},
		{"a certificate, too", execCredential("v1", `{"token":"s3cr3t","clientCertificateData":"s3cr3t"}`), "it printed a client certificate"},
		{"no timestamp", execCredential("v1", `{"token":"s3cr3t","expirationTimestamp":"2026"}`), "it printed JSON with an expirationTimestamp that is no date"},
	} {
		m, e := parse(tt.out, noon, after, 0)
		if e == nil || e.Class != agent.Broken || e.Why != tt.why || !m.Secret.Empty() {
			t.Errorf("%s: %+v, %v", tt.name, m, e)
			continue
		}
		wellSaid(t, e)
	}
}

// wantError wants that in place of a token.
func wantError(t *testing.T, m agent.Minted, err error, class agent.Class, why string) *agent.SourceError {
	t.Helper()
	var e *agent.SourceError
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	if e.Class != class || !strings.Contains(e.Why, why) || !m.Secret.Empty() {
		t.Errorf("%s: %q (hint %q), want %s: %q", e.Class, e.Why, e.Hint, class, why)
	}
	wellSaid(t, e)
	return e
}

// wellSaid checks what must hold for every error of this package. Every secret of
// the tests has "s3cr3t" in it.
func wellSaid(t *testing.T, e *agent.SourceError) {
	t.Helper()
	text := e.Why + e.Hint
	if strings.Contains(text, "s3cr3t") || len(e.Why) > 800 || e.Why == "" ||
		strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		t.Errorf("not to be shown: %q, %q", e.Why, e.Hint)
	}
}

// FuzzOutput: what a token and its end are wrapped into makes no difference, and
// whatever else is printed gives a token that can be sent and lives, or an error
// that shows nothing of it.
func FuzzOutput(f *testing.F) {
	for _, seed := range []string{"s3cr3t", "s3cr3t\n", `{"token":"s3cr3t","expiresIn":"1h"}`, execCredential("v1", `{"token":"s3cr3t"}`), jwt(`{"exp":1795608060}`), "{", "\x00", `{"token":"s3cr3t","expiresIn":1e5}`} {
		f.Add(seed, int64(3600))
	}
	f.Fuzz(func(t *testing.T, out string, seconds int64) {
		m, e := parse(out, noon, after, time.Duration(seconds%1e6)*time.Second)
		switch {
		case e != nil:
			if e.Class != agent.Broken || !m.Secret.Empty() {
				t.Errorf("%+v, %v", m, e)
			}
			wellSaid(t, e)
			return
		case agent.CheckToken(m.Secret) != nil:
			t.Fatalf("cannot be sent: %q", m.Secret.Reveal())
		case m.Expiry == ipc.ExpiryKnown && m.Expires.Sub(after) < useless, m.Expiry != ipc.ExpiryKnown && !m.Expires.IsZero():
			t.Fatalf("%v %v", m.Expiry, m.Expires)
		}
		if m.Secret.Reveal()[0] == '{' {
			return // bare, it would be taken for JSON
		}
		same(t, m.Secret.Reveal(), noon.Add(time.Duration(seconds%1e6+1e6+10)*time.Second))
	})
}

// same wants one token out of every wrapping of it.
func same(t *testing.T, token string, end time.Time) {
	t.Helper()
	stamp := end.Format(time.RFC3339)
	status, _ := json.Marshal(map[string]string{"token": token, "expirationTimestamp": stamp})
	at, _ := json.Marshal(map[string]string{"token": token, "expiresAt": stamp})
	in, _ := json.Marshal(map[string]any{"token": token, "expiresIn": end.Sub(noon).Seconds()})
	want, e := parse(token, noon, after, end.Sub(noon))
	for _, out := range []string{execCredential("v1", string(status)), string(at), string(in)} {
		got, e2 := parse(out, noon, after, 0)
		if (e == nil) != (e2 == nil) || !got.Secret.Equal(want.Secret) || !got.Expires.Equal(want.Expires) || got.Expiry != want.Expiry {
			t.Errorf("%s: %+v, %v; bare: %+v, %v", out, got, e2, want, e)
		}
	}
}
