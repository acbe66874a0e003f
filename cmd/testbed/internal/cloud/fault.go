package cloud

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The ways in which api.coreweave.com, or what stands before it, can misbehave.
const (
	NoFault      = "none"
	Fault401     = "401"
	Fault403     = "403"
	Fault500     = "500"
	FaultHTML403 = "html403" // a company's proxy
	FaultPortal  = "portal"  // a hotel's
	FaultRedir   = "redirect"
	FaultHang    = "hang"
	FaultWrong   = "wrongjson"
	FaultDate    = "date+1d" // a right answer with a Date header of tomorrow
	FaultNoKeys  = "nokeys"  // 403 where object storage keys are wanted: the owner of the token may have none
)

// Kinds are the faults that Set takes.
var Kinds = []string{NoFault, Fault401, Fault403, Fault500, FaultHTML403, FaultPortal, FaultRedir, FaultHang, FaultWrong, FaultDate, FaultNoKeys}

const (
	loginPath  = "/login"
	portalPage = "<!doctype html><title>Welcome</title><p>Please accept the terms to go online.</p>\n"
	proxyPage  = "<!doctype html><title>403 Forbidden</title><h1>Access denied</h1><p>Blocked by policy.</p>\n"
)

// Faults holds the fault that is in force now.
type Faults struct {
	mu      sync.Mutex
	kind    string
	changed chan struct{} // closed when kind changes, to let go of those that hang
}

// NewFaults starts without one.
func NewFaults() *Faults { return &Faults{kind: NoFault, changed: make(chan struct{})} }

// Set puts a fault in force until the next Set, and drops the requests that hang.
func (f *Faults) Set(kind string) error {
	if !slices.Contains(Kinds, kind) {
		return fmt.Errorf("fault %q: unknown, want one of %s", kind, strings.Join(Kinds, ", "))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind = kind
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

func (f *Faults) current() (string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kind, f.changed
}

// serve answers in the fault's way and says whether it has.
func (f *Faults) serve(w http.ResponseWriter, r *http.Request, now time.Time) bool {
	kind, changed := f.current()
	if kind == FaultNoKeys && r.URL.Path == keysPath {
		kind = Fault403
	}
	switch kind {
	case Fault401:
		writeJSON(w, http.StatusUnauthorized, refusal{"unauthenticated", "invalid or expired token"})
	case Fault403:
		writeJSON(w, http.StatusForbidden, refusal{"permission_denied", "permission denied"})
	case Fault500:
		writeJSON(w, http.StatusInternalServerError, refusal{"internal", "internal error"})
	case FaultHTML403:
		writeHTML(w, http.StatusForbidden, proxyPage)
	case FaultPortal:
		writeHTML(w, http.StatusOK, portalPage)
	case FaultRedir:
		http.Redirect(w, r, loginPath, http.StatusFound)
	case FaultHang:
		select {
		case <-r.Context().Done():
		case <-changed:
		}
		panic(http.ErrAbortHandler)
	case FaultWrong:
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok", "data": []string{}})
	case FaultDate:
		w.Header().Set("Date", now.Add(24*time.Hour).UTC().Format(http.TimeFormat))
		return false
	default:
		return false
	}
	return true
}

func writeHTML(w http.ResponseWriter, code int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	io.WriteString(w, page)
}
