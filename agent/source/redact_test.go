package source

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const out = "CW-SECRET-s3cr3tprinted1 {\"token\":\"plainsecretword\"} pin4"
	for _, tt := range []struct{ said, want string }{
		{"", ""},
		{"not signed in\n", "not signed in"},
		{"one\n\ntwo\r\nthree\nfour\n", "two; three; four"},
		{"[ERROR] 2026/11/25 03:44:20 no account found for us-east-04a", "[ERROR] 2026/11/25 03:44:20 no account found for us-east-04a"},
		{`Get "https://vault.corp:8200/v1/secret/data/cks": dial tcp: lookup vault.corp: no such host`,
			`Get "https://vault.corp:8200/v1/secret/data/cks": dial tcp: lookup vault.corp: no such host`},
		{"/home/jane/.config/op/config: permission denied", "/home/jane/.config/op/config: permission denied"},
		{"token: not found", "token: not found"},

		{"bad token CW-SECRET-s3cr3t", "bad token [secret]"},
		{"cw-secret-s3cr3t/x+y is bad", "[secret] is bad"},
		{"got eyJhbGciOiJub25lIn0.s3cr3t.x back", "got [secret] back"},
		{"Authorization: Bearer s3cr3t", "Authorization: Bearer [secret]"},
		{"OP_SESSION_TOKEN=s3cr3t failed", "OP_SESSION_TOKEN=[secret] failed"},
		{`{"clientSecret": "s3cr3t word", "code": 7}`, `{"clientSecret":[secret], "code": 7}`},
		{"password = 's3cr3t word'", "password [secret]"},
		{"token: s.Abc123def", "token: [secret]"},
		{"the password is hunter2! today", "the password is [secret] today"},
		{"mint --password hunter22 --org x", "mint --password [secret] --org x"},
		{"token: not found", "token: not found"},
		{"token: 401 for jane", "token: 401 for jane"},
		{"https://jane:s3cr3t@host/x: refused", "https://[secret]@host/x: refused"},
		{"key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is bad", "key [secret] is bad"},
		{"unlock 5f3a9c01deadbeef5f3a9c01", "unlock [secret]"},
		{"what qwertyuiopasdfghjklz says", "what [secret] says"},
		{"it has s3cr3tpri, in part", "it has [secret] in part"},
		{"'plainsecretword'", "[secret]"},
		{"my pin4!", "my [secret]"},

		{"\x1b[31mred\x1b[0m \x1b]0;title\x07end\x1b(B", "red end"},
		{"CW-SEC\x1b[1mRET-s3cr3t", "[secret]"},
		{"a\x00b\x7fc\tdé", "a?b?c d?"},
		{"first\n" + strings.Repeat("long ", 60), strings.Repeat("long ", 40) + "..."},
	} {
		if got := (redactor{secrets: []string{out}, opaque: true}).line(tt.said); got != tt.want {
			t.Errorf("%q:\n got %q\nwant %q", tt.said, got, tt.want)
		}
	}
}

// A server's words are shown but for the token that it was shown.
func TestRedactStatus(t *testing.T) {
	t.Parallel()
	r := redactor{secrets: []string{"opaque0123456789abcdef0123456789"}}
	const said = `User "a7d1f0c2-5b3e-4c86-9f1d-2e60b8a4c713" cannot create resource "serviceaccounts/token" in the namespace "ci"`
	if got := r.line(said); got != said {
		t.Errorf("%q", got)
	}
	if got := r.line("no opaque0123456789abcdef here"); got != "no [secret] here" {
		t.Errorf("%q", got)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		writes []string
		want   string
	}{
		{nil, ""},
		{[]string{"ab", "cd"}, "abcd"},
		{[]string{strings.Repeat("x", maxStderr)}, strings.Repeat("x", maxStderr)},
		{[]string{strings.Repeat("x", maxStderr), " end"}, " end"},
		{[]string{"start " + strings.Repeat("x", maxStderr), "\nend"}, "\nend"},
		{[]string{strings.Repeat("x", 3*maxStderr)}, ""},
	} {
		var got tail
		for _, w := range tt.writes {
			if n, err := got.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatalf("write: %d, %v", n, err)
			}
		}
		if got.String() != tt.want {
			t.Errorf("%.40q: %.40q", tt.writes, got.String())
		}
	}
}
