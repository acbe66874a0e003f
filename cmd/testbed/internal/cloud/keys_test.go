package cloud

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s, server, c := newStandIn(t)
	secret := mint(t, s.Tokens, Order{Name: "x"}).Secret.Reveal()
	seen := map[string]bool{}
	for _, life := range []time.Duration{0, time.Minute} {
		s.KeysLife = life
		resp, body := get(t, server, keysPath, secret)
		var got struct {
			AccessKeyID     string `json:"AccessKeyId"`
			SecretAccessKey string
			Token           string
			Expiration      time.Time
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %v", resp.Status, body, err)
		}
		if life == 0 {
			life = 15 * time.Minute
		}
		if got.AccessKeyID == "" || got.Token == "" || seen[got.SecretAccessKey] || !got.Expiration.Equal(c.now().Add(life).Truncate(time.Second)) {
			t.Errorf("%s, wanted until %v", body, c.now().Add(life))
		}
		seen[got.SecretAccessKey] = true
	}
	if got, _ := s.Tokens.Requests("x"); got != (Counts{Keys: 2}) {
		t.Errorf("counted %+v", got)
	}
}

// An owner who may have no keys has a token that is alive.
func TestNoKeys(t *testing.T) {
	t.Parallel()
	s, server, _ := newStandIn(t)
	secret := mint(t, s.Tokens, Order{}).Secret.Reveal()
	s.Faults.Set(FaultNoKeys)
	for path, want := range map[string]int{keysPath: http.StatusForbidden, whoamiPath: http.StatusOK} {
		if resp, _ := get(t, server, path, secret); resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
}
