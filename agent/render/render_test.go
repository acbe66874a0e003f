package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	v1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const (
	head     = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"`
	headBeta = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"`
)

func TestDecode(t *testing.T) {
	t.Parallel()
	ca := []byte("-----BEGIN CERTIFICATE-----\n")
	tests := []struct {
		name, in string
		want     *ipc.Server
	}{
		{"no spec", head + `}`, nil},
		{"no cluster", head + `,"spec":{"interactive":true}}`, nil},
		{"null", head + `,"spec":{"cluster":null}}`, nil},
		{"empty cluster", head + `,"spec":{"cluster":{}}}`, &ipc.Server{}},
		{"server only", head + `,"spec":{"cluster":{"server":"https://h"}}}`, &ipc.Server{URL: "https://h"}},
		{"beta", headBeta + `,"spec":{"cluster":{"server":"https://h"},"interactive":false}}`, &ipc.Server{URL: "https://h"}},
		{
			"everything", head + `,"spec":{"interactive":false,"cluster":{"server":"HTTPS://h:1/x/","tls-server-name":"n",
			"insecure-skip-tls-verify":true,"certificate-authority-data":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
			"proxy-url":"http://p:3128","disable-compression":true,"config":{"any":["thing"]}}}}`,
			&ipc.Server{URL: "HTTPS://h:1/x/", TLSServerName: "n", Insecure: true, ProxyURL: "http://p:3128", CASHA256: agent.Fingerprint(ca)},
		},
		{"fields of another day", head + `,"spec":{"cluster":{"server":"https://h","moon":"full"},"x":[1]},"status":{},"y":null}`, &ipc.Server{URL: "https://h"}},
		{"blanks around", "\n\t" + head + "}\r\n ", nil},
	}
	for _, tt := range tests {
		got, err := Codec{}.Decode([]byte(tt.in))
		version := v1.SchemeGroupVersion.String()
		if strings.HasPrefix(tt.in, headBeta) {
			version = v1beta1.SchemeGroupVersion.String()
		}
		if err != nil || got.APIVersion != version || !reflect.DeepEqual(got.Server, tt.want) {
			t.Errorf("%s: %+v, %+v, %v", tt.name, got, got.Server, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const noJSON = "not an ExecCredential in JSON"
	tests := []struct{ name, in, want string }{
		{"empty", "", "not set"},
		{"blank", " \n", noJSON},
		{"YAML", "kind: ExecCredential", noJSON},
		{"cut off", head, noJSON},
		{"two", head + "}" + head + "}", noJSON},
		{"a byte order mark", "\ufeff" + head + "}", noJSON},
		{"binary", "\x00\xff\xfe", noJSON},
		{"a list", "[]", noJSON},
		{"a string", `"ExecCredential"`, noJSON},
		{"null", "null", `kind "" is not`},
		{"empty object", "{}", `kind "" is not`},
		{"another kind", `{"kind":"Pod","apiVersion":"v1"}`, `kind "Pod" is not`},
		{"no version", `{"kind":"ExecCredential"}`, `apiVersion "" is unknown`},
		{"alpha", strings.Replace(head, "/v1", "/v1alpha1", 1) + "}", `k8s.io/v1alpha1" is unknown`},
		{"of tomorrow", strings.Replace(head, "/v1", "/v2", 1) + "}", `k8s.io/v2" is unknown`},
		{"another group", `{"kind":"ExecCredential","apiVersion":"v1"}`, `apiVersion "v1" is unknown`},
		{"kind of another type", `{"kind":7}`, noJSON},
		{"spec of another type", head + `,"spec":[]}`, noJSON},
		{"cluster of another type", head + `,"spec":{"cluster":"https://h"}}`, noJSON},
		{"server of another type", head + `,"spec":{"cluster":{"server":{}}}}`, noJSON},
		{"data that is not base64", head + `,"spec":{"cluster":{"certificate-authority-data":"%%%"}}}`, noJSON},
		{"deep", strings.Repeat(`{"spec":`, 60_000), noJSON},
		{"deep in config", head + `,"spec":{"cluster":{"config":` + strings.Repeat("[", 60_000), noJSON},
		{"huge kind", `{"kind":"` + strings.Repeat("x", 1<<20) + `"}`, "is not ExecCredential"},
		{"huge version", `{"kind":"ExecCredential","apiVersion":"` + strings.Repeat("\u202e", 1<<20) + `"}`, "is unknown"},
		{"a kind for the terminal", `{"kind":"\u001b[2J"}`, `\x1b[2J`},
	}
	for _, tt := range tests {
		got, err := Codec{}.Decode([]byte(tt.in))
		var e *ipc.Error
		if !errors.As(err, &e) || e.Code != ipc.CodeMalformed || !strings.Contains(e.What, tt.want) || e.Hint == "" {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
			continue
		}
		if len(e.Text()) > 1000 || strings.Count(e.Text(), "\n") != 2 || strings.Contains(e.Text(), "\x1b") {
			t.Errorf("%s: %.300q", tt.name, e.Text())
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 5*3600+1800)
	at := time.Date(2026, 11, 24, 17, 40, 0, 0, east)
	const status = `","spec":{"interactive":false},"status":{"expirationTimestamp":"2026-11-24T12:10:00Z","token":"CW-SECRET-\"\u003c\u0026~"}}`
	for version, into := range map[string]any{
		v1.SchemeGroupVersion.String():      &v1.ExecCredential{},
		v1beta1.SchemeGroupVersion.String(): &v1beta1.ExecCredential{},
	} {
		const secret = `CW-SECRET-"<&~`
		answer, err := Codec{}.Encode(version, at)
		if err != nil {
			t.Fatal(err)
		}
		out := answer.Append(nil, ipc.NewSecret(secret))
		want := `{"kind":"ExecCredential","apiVersion":"` + version + status
		if string(out) != want {
			t.Errorf("%s:\n%s\n%s", version, out, want)
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Error(err)
		}
		var token string
		var end time.Time
		switch c := into.(type) {
		case *v1.ExecCredential:
			token, end = c.Status.Token, c.Status.ExpirationTimestamp.Time
		case *v1beta1.ExecCredential:
			token, end = c.Status.Token, c.Status.ExpirationTimestamp.Time
		}
		if token != secret || !end.Equal(at) {
			t.Errorf("%s: %q, %v", version, token, end)
		}
	}
}

// Whatever the token is, the answer is what package json would have made of the
// whole; it needs no more room than it takes, and where there is enough, none.
func FuzzAppend(f *testing.F) {
	at := metav1.NewTime(time.Date(2026, 11, 24, 12, 10, 0, 0, time.UTC).Local())
	for _, token := range []string{"CW-SECRET-x", "", `"`, `\`, "<&>", "\x00\n", "\xff", "\u2028", "~ !", `\u0000`} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		made, err := Codec{}.Encode(v1.SchemeGroupVersion.String(), at.Time)
		if err != nil {
			t.Fatal(err)
		}
		whole := v1.ExecCredential{
			TypeMeta: metav1.TypeMeta{Kind: kind, APIVersion: v1.SchemeGroupVersion.String()},
			Status:   &v1.ExecCredentialStatus{Token: token, ExpirationTimestamp: &at},
		}
		want, err := json.Marshal(whole)
		if token == "" {
			return // it would be left out, and is never given out
		}
		room := make([]byte, 3, 8<<10)
		got := made.Append(room, ipc.NewSecret(token))
		if err != nil || string(got[3:]) != string(want) || len(want) < 8000 && &got[0] != &room[0] {
			t.Fatalf("%v\n%s\n%s", err, got, want)
		}
	})
}

// Whatever comes: an answer or an error that can be shown; and what was
// understood, written down again, is understood the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(head + `}`))
	f.Add([]byte(headBeta + `,"spec":{"cluster":{"server":"https://h","certificate-authority-data":"eA==","config":{}}}}`))
	f.Add([]byte(head + `,"spec":{"cluster":{"server":"https://h\u0000","proxy-url":"\ud800","tls-server-name":"\xff"}}}`))
	f.Add([]byte(`{"KIND":"ExecCredential","apiversion":"client.authentication.k8s.io/v1","kind":"x"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Codec{}.Decode(in)
		if err != nil {
			var e *ipc.Error
			if !errors.As(err, &e) || e.Code != ipc.CodeMalformed || strings.Count(e.Text(), "\n") != 2 {
				t.Fatalf("%#v", err)
			}
			return
		}
		again := v1.ExecCredential{}
		again.Kind, again.APIVersion = kind, got.APIVersion
		if err := json.Unmarshal(in, &again); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(again)
		if err != nil {
			t.Skip(err) // "config" can hold what cannot be written
		}
		if second, err := (Codec{}).Decode(out); err != nil || !reflect.DeepEqual(second, got) {
			t.Fatalf("%+v became %+v, %v", got, second, err)
		}
	})
}
