package coreweave

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// keyed is the documented answer, with whatever else is documented to be in it.
func keyed(id, secret, session string, expires time.Time) string {
	return fmt.Sprintf(`{"AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q,"Expiration":%q,"attributes":{},"multiAttributes":{}}`,
		id, secret, session, expires.Format(time.RFC3339))
}

func TestKeys(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(15 * time.Minute).UTC().Truncate(time.Second)
	for session, want := range map[string]string{
		"":      `{"Version":1,"AccessKeyId":"CWID","SecretAccessKey":"cwo/x+y=","Expiration":"AT"}`,
		"SESS+": `{"Version":1,"AccessKeyId":"CWID","SecretAccessKey":"cwo/x+y=","SessionToken":"SESS+","Expiration":"AT"}`,
	} {
		endpoint := newSite(t, say(200, js, keyed("CWID", "cwo/x+y=", session, at)))
		keys, err := newVerifier(t, endpoint).Keys(t.Context(), ipc.NewSecret(cwToken))
		if want = strings.Replace(want, "AT", at.Format(time.RFC3339), 1); err != nil || keys.Answer.Reveal() != want || !keys.Expires.Equal(at) {
			t.Errorf("%s, %v, %v; want %s", keys.Answer.Reveal(), keys.Expires, err, want)
		}
		if got := endpoint.asked(); len(got) != 1 || got[0] != "GET "+keysPath+" "+cwToken {
			t.Errorf("asked %q", got)
		}
	}
}

// Only a token of CoreWeave's goes to its endpoint.
func TestKeysForOthers(t *testing.T) {
	t.Parallel()
	endpoint := newSite(t, say(200, js, keyed("a", "b", "", time.Now().Add(time.Hour))))
	_, err := newVerifier(t, endpoint).Keys(t.Context(), ipc.NewSecret(otherToken))
	if err == nil || len(endpoint.asked()) > 0 {
		t.Errorf("%v; asked %q", err, endpoint.asked())
	}
}

// What is no answer gives no keys, and only a refusal of CoreWeave's own is one.
func TestNoKeys(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	good := keyed("CWID", "cwo1", "", soon)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		class  agent.Class
		why    string
	}{
		"401":            {say(401, js, `{"code":16,"message":"TOKEN"}`), agent.Denied, "temporary-credentials says 401"},
		"403":            {say(403, js, `{"code":7,"message":"TOKEN"}`), agent.Denied, "temporary-credentials says 403"},
		"a proxy":        {say(403, html, page), agent.Transient, "temporary-credentials: 403, but with a web page: a proxy, or a portal"},
		"squid":          {say(401, "text/plain", "corporate gateway"), agent.Transient, "temporary-credentials says 401, but not as CoreWeave's API does: a proxy, or a gateway"},
		"404":            {say(404, js, `{}`), agent.Transient, "temporary-credentials says 404"},
		"429":            {say(429, js, `{}`), agent.Transient, "temporary-credentials says 429"},
		"500":            {say(500, js, `{}`), agent.Transient, "temporary-credentials says 500"},
		"a redirect":     {http.RedirectHandler("/v1/elsewhere", 302).ServeHTTP, agent.Transient, ""},
		"a portal":       {say(200, html, page), agent.Transient, "temporary-credentials says 200 but with a web page: a proxy, or a portal"},
		"no JSON":        {say(200, js, "TOKEN"), agent.Transient, "temporary-credentials says 200 but not in the documented form"},
		"something else": {say(200, js, `{"status":"ok"}`), agent.Transient, "temporary-credentials says 200 but not in the documented form"},
		"no secret":      {say(200, js, keyed("CWID", "", "", soon)), agent.Transient, ""},
		"a line break":   {say(200, js, keyed("CWID\n", "cwo1", "", soon)), agent.Transient, ""},
		"our own token":  {say(200, js, strings.Replace(good, "cwo1", "xTOKENx", 1)), agent.Transient, ""},
		"no expiry":      {say(200, js, strings.Replace(good, `"Expiration"`, `"Ends"`, 1)), agent.Transient, ""},
		"without end":    {huge(200, good), agent.Transient, "temporary-credentials says 200 but with more than can be true"},
		"half":           {raw("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"AccessKeyId\":\"TOKEN"), agent.Transient, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint := newSite(t, tt.answer)
			keys, err := newVerifier(t, endpoint).Keys(t.Context(), ipc.NewSecret(cwToken))
			var e *agent.SourceError
			if !errors.As(err, &e) || !keys.Answer.Empty() {
				t.Fatalf("%v, %v", keys, err)
			}
			if e.Class != tt.class || tt.why != "" && e.Why != tt.why {
				t.Errorf("%s: %s; want %s: %s", e.Class, e.Why, tt.class, tt.why)
			}
			if text := e.Why + e.Hint; strings.Contains(text, "s3cr3t") || strings.Contains(text, "cwo1") || strings.Contains(text, "\n") {
				t.Errorf("it is told what came: %q", text)
			}
			if n := len(endpoint.asked()); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// An endpoint that hangs is left in time.
func TestKeysOfOneThatHangs(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, newSite(t, hang))
	v.limit = 50 * time.Millisecond
	_, err := v.Keys(t.Context(), ipc.NewSecret(cwToken))
	var e *agent.SourceError
	if !errors.As(err, &e) || e.Class != agent.Transient || e.Why != "temporary-credentials: no answer in time" {
		t.Errorf("%v", err)
	}
}

// FuzzKeys: what is taken for keys comes out as JSON that AWS's tools can read.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{keyed("a", "b", "c", time.Now()), principal, page, `{"AccessKeyId":"a","SecretAccessKey":"\u202e","Expiration":"2026-01-01T00:00:00+23:59"}`, `{`} {
		f.Add([]byte(seed))
	}
	c := &inquiry{request: agent.VerifyRequest{Token: ipc.NewSecret(cwToken)}}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, ok := c.parseKeys(body)
		if !ok {
			return
		}
		var out struct {
			Version                      int
			AccessKeyId, SecretAccessKey string
			Expiration                   time.Time
		}
		if err := json.Unmarshal([]byte(keys.Answer.Reveal()), &out); err != nil || out.Version != 1 || !isKey(out.AccessKeyId) || !isKey(out.SecretAccessKey) || !out.Expiration.Equal(keys.Expires) {
			t.Errorf("%+v, %v", out, err)
		}
	})
}
