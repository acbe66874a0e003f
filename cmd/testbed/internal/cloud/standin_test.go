package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func newStandIn(t *testing.T) (*StandIn, *httptest.Server, *clock) {
	t.Helper()
	c := newClock()
	s := &StandIn{
		Tokens:   NewList(c.now),
		Clusters: FirstTwo([2]string{"https://127.0.0.1:1", "https://127.0.0.1:2"}),
		Faults:   NewFaults(),
		Now:      c.now,
	}
	server := httptest.NewTLSServer(s.Handler())
	t.Cleanup(server.Close)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, server, c
}

func get(t *testing.T, s *httptest.Server, path, secret string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

const (
	whoamiPath   = "/v1beta1/auth/whoami"
	clustersPath = "/v1beta1/cks/clusters"
)

func TestStandInAnswers(t *testing.T) {
	t.Parallel()
	s, server, _ := newStandIn(t)
	secret := mint(t, s.Tokens, Order{UID: "u-1", OrgUID: "o-1"}).Secret.Reveal()
	for path, want := range map[string]string{
		whoamiPath: `{"principal":{"uid":"u-1","orgUid":"o-1","groups":["system:masters","org:o-1"],"consoleActions":[]}}`,
		clustersPath: `{"items":[` +
			`{"id":"0b6c1a52-7f3d-4d0e-8a65-c1f2d3e4a501","name":"train-east","zone":"US-EAST-04A","apiServerEndpoint":"https://127.0.0.1:1","status":"STATUS_RUNNING"},` +
			`{"id":"5d2e9f81-3c47-4b1a-9e70-a6b5c4d3e202","name":"serve-eu","zone":"EU-SOUTH-04B","apiServerEndpoint":"https://127.0.0.1:2","status":"STATUS_RUNNING"}]}`,
	} {
		resp, body := get(t, server, path, secret)
		if resp.StatusCode != http.StatusOK || strings.TrimSpace(body) != want {
			t.Errorf("%s: %s %s, want %s", path, resp.Status, body, want)
		}
	}
	if resp, _ := get(t, server, "/v1/nothing", secret); resp.StatusCode != http.StatusNotFound {
		t.Errorf("unknown path: %s", resp.Status)
	}
}

func TestStandInRejects(t *testing.T) {
	t.Parallel()
	s, server, c := newStandIn(t)
	expired := mint(t, s.Tokens, Order{Lifetime: time.Minute}).Secret.Reveal()
	revoked := mint(t, s.Tokens, Order{Name: "gone"})
	if _, err := s.Tokens.Revoke("gone"); err != nil {
		t.Fatal(err)
	}
	c.forward(time.Minute)
	for _, secret := range []string{expired, revoked.Secret.Reveal(), "CW-SECRET-unknown", ""} {
		for _, path := range []string{whoamiPath, clustersPath, keysPath} {
			if resp, _ := get(t, server, path, secret); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %q: %s", path, secret, resp.Status)
			}
		}
	}
	if got, _ := s.Tokens.Requests("gone"); got != (Counts{Whoami: 1, Clusters: 1, Keys: 1}) {
		t.Errorf("counted %+v", got)
	}
	if got, _ := s.Tokens.Requests(""); got != (Counts{Whoami: 4, Clusters: 4, Keys: 4}) {
		t.Errorf("counted in all %+v", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		kind     string
		code     int
		mime     string
		contains string
	}{
		{NoFault, 200, "application/json", "principal"},
		{Fault401, 401, "application/json", "unauthenticated"},
		{Fault403, 403, "application/json", "permission_denied"},
		{Fault500, 500, "application/json", "internal"},
		{FaultHTML403, 403, "text/html; charset=utf-8", "Blocked by policy"},
		{FaultPortal, 200, "text/html; charset=utf-8", "go online"},
		{FaultRedir, 302, "text/html; charset=utf-8", loginPath},
		{FaultWrong, 200, "application/json", "ok"},
		{FaultDate, 200, "application/json", "principal"},
	} {
		t.Run(f.kind, func(t *testing.T) {
			t.Parallel()
			s, server, _ := newStandIn(t)
			secret := mint(t, s.Tokens, Order{Name: "x"}).Secret.Reveal()
			if err := s.Faults.Set(f.kind); err != nil {
				t.Fatal(err)
			}
			resp, body := get(t, server, whoamiPath, secret)
			if resp.StatusCode != f.code || resp.Header.Get("Content-Type") != f.mime || !strings.Contains(body, f.contains) {
				t.Errorf("%s %s %q", resp.Status, resp.Header.Get("Content-Type"), body)
			}
			if json.Valid([]byte(body)) != (f.mime == "application/json") {
				t.Errorf("body %q of type %s", body, f.mime)
			}
			if got, _ := s.Tokens.Requests("x"); got != (Counts{Whoami: 1}) {
				t.Errorf("counted %+v", got)
			}
			if err := s.Faults.Set(NoFault); err != nil {
				t.Fatal(err)
			}
			if resp, _ := get(t, server, whoamiPath, secret); resp.StatusCode != http.StatusOK {
				t.Errorf("after the fault: %s", resp.Status)
			}
		})
	}
}

func TestFaultDateIsTomorrow(t *testing.T) {
	t.Parallel()
	s, server, c := newStandIn(t)
	s.Faults.Set(FaultDate)
	resp, _ := get(t, server, whoamiPath, mint(t, s.Tokens, Order{}).Secret.Reveal())
	if got, err := http.ParseTime(resp.Header.Get("Date")); err != nil || !got.Equal(c.t.Add(24*time.Hour)) {
		t.Errorf("Date %v, %v", got, err)
	}
}

func TestRedirectIsSeenWhenFollowed(t *testing.T) {
	t.Parallel()
	s, server, _ := newStandIn(t)
	server.Client().CheckRedirect = nil
	secret := mint(t, s.Tokens, Order{Name: "x"}).Secret.Reveal()
	s.Faults.Set(FaultRedir)
	get(t, server, whoamiPath, secret)
	if got, _ := s.Tokens.Requests("x"); got != (Counts{Whoami: 1, Login: 1}) {
		t.Errorf("counted %+v", got)
	}
}

func TestHangLastsUntilTheFaultChanges(t *testing.T) {
	t.Parallel()
	s, server, _ := newStandIn(t)
	s.Faults.Set(FaultHang)
	// Like the clients that this is for: one attempt, no keep-alive that would be tried again.
	server.Client().Transport.(*http.Transport).DisableKeepAlives = true
	ended := make(chan error, 1)
	go func() {
		resp, err := server.Client().Get(server.URL + whoamiPath)
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}()
	for counted := (Counts{}); counted.Whoami == 0; counted, _ = s.Tokens.Requests("") {
		select {
		case err := <-ended:
			t.Fatalf("ended at once: %v", err)
		default:
		}
	}
	// The request may stand before the fault or inside it by now; a change of faults lets go of it in either case.
	for {
		s.Faults.Set(FaultHang)
		select {
		case err := <-ended:
			if !errors.Is(err, io.EOF) {
				t.Errorf("ended with %v, want a cut connection", err)
			}
			return
		default:
		}
	}
}

func TestHangLetsGoOfClientsThatLeave(t *testing.T) {
	t.Parallel()
	f := NewFaults()
	f.Set(FaultHang)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	defer func() {
		if r := recover(); r != http.ErrAbortHandler {
			t.Errorf("recovered %v", r)
		}
	}()
	f.serve(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", whoamiPath, nil), time.Time{})
}

func TestUnknownFaultListsThem(t *testing.T) {
	t.Parallel()
	err := NewFaults().Set("404")
	if err == nil || !strings.Contains(err.Error(), "401, 403, 500, html403, portal, redirect, hang, wrongjson, date+1d, nokeys") {
		t.Errorf("error %v", err)
	}
}
