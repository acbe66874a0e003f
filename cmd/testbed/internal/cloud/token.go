package cloud

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The principal of a token for which nobody asked for another one.
const (
	DefaultUID      = "a7d1f0c2-5b3e-4c86-9f1d-2e60b8a4c713"
	DefaultOrgUID   = "cw7f2e"
	DefaultLifetime = 30 * 24 * time.Hour
)

// State is what a token is worth at one moment.
type State int

const (
	Unknown State = iota
	Alive
	Expired
	Revoked
)

// Dead reports whether the token was good once and is not any more.
func (s State) Dead() bool { return s == Expired || s == Revoked }

// Token is one API Access Token as the Console knows it.
type Token struct {
	Name    string
	ID      string // public: cwtoken-<8 hex>
	Secret  Secret
	UID     string
	OrgUID  string
	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: not revoked
}

// State says what the token is worth at now. A revoked one stays revoked when its expiry passes.
func (t Token) State(now time.Time) State {
	switch {
	case !t.Revoked.IsZero():
		return Revoked
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return Expired
	}
	return Alive
}

func (t Token) groups() []string { return []string{"system:masters", "org:" + t.OrgUID} }

var (
	publicID  = regexp.MustCompile(`^cwtoken-[0-9a-f]{8}$`)
	validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	validUID  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._@-]{0,127}$`)
)

// checkName keeps names apart from public ids, because revoke takes either, and fit for a file name.
func checkName(name string) error {
	if publicID.MatchString(name) {
		return fmt.Errorf("name %q: looks like a public id", name)
	}
	if !validName.MatchString(name) {
		return fmt.Errorf("name %q: letters, digits, dots, dashes and underscores only, 63 at most", name)
	}
	return nil
}

// ParseLifetime reads Go's durations, whole days ("30d"), and "0" or "never" as no expiry.
func ParseLifetime(s string) (time.Duration, error) {
	if s == "never" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if days, found := strings.CutSuffix(s, "d"); found {
		var n int
		n, err = strconv.Atoi(days)
		// A time.Duration ends at 292 years.
		if err == nil && n > 100_000 {
			err = errors.New("too long")
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil {
		return 0, fmt.Errorf("lifetime %q: want 30s, 8h, 30d or never", s)
	}
	if d < 0 {
		return 0, fmt.Errorf("lifetime %q: negative", s)
	}
	return d, nil
}
