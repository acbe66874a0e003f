package source

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// An envelope is every form of JSON that a command may print.
type envelope struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Status     *struct {
		Token      string  `json:"token"`
		Expires    *string `json:"expirationTimestamp"`
		ClientCert string  `json:"clientCertificateData"`
		ClientKey  string  `json:"clientKeyData"`
	} `json:"status"`

	Token     *string         `json:"token"`
	ExpiresAt *string         `json:"expiresAt"`
	ExpiresIn json.RawMessage `json:"expiresIn"`
}

// execVersions are those that kubectl takes. The types of client-go for them
// cost 1.4 ms at start, and agent/render has them alone.
var execVersions = map[string]bool{
	"client.authentication.k8s.io/v1": true, "client.authentication.k8s.io/v1beta1": true,
}

// parse reads what a command printed that was started at asked and has ended at
// now. Whatever counts from somewhere counts from asked: the token was made later.
func parse(out string, asked, now time.Time, lifetime time.Duration) (agent.Minted, *agent.SourceError) {
	var m agent.Minted
	var end time.Time
	var e *agent.SourceError
	if text := strings.TrimSpace(strings.TrimPrefix(out, "\ufeff")); strings.HasPrefix(text, "{") {
		m.Secret, end, e = open(text, asked)
	} else if m.Secret, e = bare(text); e != nil {
		e = before("it printed ", e)
	}
	if e != nil {
		return agent.Minted{}, e
	}
	if end.IsZero() && lifetime > 0 {
		end = asked.Add(lifetime)
	}
	if e := settle(&m, now, end); e != nil {
		e.Hint = "it may print a token from a cache of its own"
		return agent.Minted{}, e
	}
	return m, nil
}

const formHint = `it may print a bare token, an ExecCredential, or {"token": "...", "expiresAt": "2026-12-31T00:00:00Z"}; expiresIn: 3600 or "8h" will do, too`

// open takes the token out of JSON.
func open(text string, asked time.Time) (ipc.Secret, time.Time, *agent.SourceError) {
	var in envelope
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		// The decoder's error may quote what it stumbled over.
		return ipc.Secret{}, time.Time{}, broken("it printed JSON that cannot be read, or in another form", formHint)
	}
	read := in.plain
	if in.Kind != "" || in.APIVersion != "" {
		read = in.exec
	}
	text, end, e := read(asked)
	if e != nil {
		return ipc.Secret{}, time.Time{}, e
	}
	token, e := sendable(text)
	if e != nil {
		return ipc.Secret{}, time.Time{}, before("it printed JSON with ", e)
	}
	return token, end, nil
}

// exec reads an ExecCredential.
func (in envelope) exec(time.Time) (token string, end time.Time, e *agent.SourceError) {
	switch s := in.Status; {
	case in.Kind != "ExecCredential":
		return "", end, broken("it printed JSON of another kind than ExecCredential", formHint)
	case !execVersions[in.APIVersion]:
		return "", end, broken("it printed an ExecCredential of an unknown version", "client.authentication.k8s.io/v1 and v1beta1 are understood")
	case s == nil:
		return "", end, broken("it printed an ExecCredential without a status", "")
	case s.ClientCert != "" || s.ClientKey != "":
		return "", end, broken("it printed a client certificate", "only tokens can be served")
	default:
		end, e = stamp("expirationTimestamp", s.Expires)
		return s.Token, end, e
	}
}

// plain reads {"token", "expiresAt" | "expiresIn"}.
func (in envelope) plain(asked time.Time) (token string, end time.Time, e *agent.SourceError) {
	if in.Token == nil {
		return "", end, broken("it printed JSON without a token", formHint)
	}
	if end, e = stamp("expiresAt", in.ExpiresAt); e != nil || len(in.ExpiresIn) == 0 || string(in.ExpiresIn) == "null" {
		return *in.Token, end, e
	}
	d, ok := span(in.ExpiresIn)
	if !ok {
		return "", end, broken("it printed JSON with an expiresIn that is no time span", formHint)
	}
	if other := asked.Add(d); end.IsZero() || other.Before(end) {
		end = other
	}
	return *in.Token, end, nil
}

func stamp(key string, value *string) (time.Time, *agent.SourceError) {
	if value == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *value)
	if err != nil {
		return time.Time{}, broken("it printed JSON with an "+key+" that is no date", "a date is written as 2026-12-31T00:00:00Z")
	}
	return t, nil
}

// span reads seconds, as a number or in quotes, or a duration as Go writes it.
// The longest is a century: beyond it the arithmetic would overflow.
func span(raw json.RawMessage) (time.Duration, bool) {
	const century = 100 * 365 * 24 * time.Hour
	text := string(raw)
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw) // not a string
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		// The comparisons are false for NaN.
		if seconds > -century.Seconds() && seconds < century.Seconds() {
			return time.Duration(seconds * float64(time.Second)), true
		}
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d.Abs() < century
}
