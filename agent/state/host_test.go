package state

import "testing"

func TestCleanHost(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"login1": "login1", "Login-2.example.COM": "login-2.example.com", "../etc/ü": ".._etc__", "a b": "a_b",
	} {
		if got := cleanHost(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
