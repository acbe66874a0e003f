package absorb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent/absorb"
)

// A Consent in the text, and the path of that.
func consentOf(t *testing.T, text string) (c absorb.Consent, path string) {
	t.Helper()
	c.Dir = t.TempDir()
	path = filepath.Join(c.Dir, "consent.json")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return c, path
}

// The sample of each form is read, and the newest comes back as it was.
func TestConsentVersions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"consent-v1.json"} {
		sample, err := os.ReadFile(filepath.Join("testdata", name))
		must(t, err)
		c, path := consentOf(t, string(sample))
		if agreed, asked, err := c.Load(); !agreed || !asked || err != nil {
			t.Errorf("%s: %v, %v, %v", name, agreed, asked, err)
		}
		must(t, c.Save(true))
		if now, _ := os.ReadFile(path); string(now) != string(sample) {
			t.Errorf("%s came back as\n%s", name, now)
		}
	}
}

// What cannot be read is no consent, and nothing is written over it.
func TestConsentRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"version": 1000, "downloads": true}`: "it was written by a newer cwagent (form 1000, this one knows 1)",
		`{"downloads": true}`:                  "it cannot be read",
		"{":                                    "it cannot be read",
	} {
		c, path := consentOf(t, text)
		agreed, _, err := c.Load()
		if agreed || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, agreed, err)
		}
		if err := c.Save(true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: saved: %v", text, err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%s became %s", text, now)
		}
	}
}
