package coreweave

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://api.coreweave.com", "https://api.coreweave.com/", "https://[::1]:8443"} {
		if _, err := New(Config{Endpoint: good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "api.coreweave.com", "http://api.coreweave.com", "https://", "https://u:p@x", "https://x/v1", "https://x?a=b", "https://x#f", "https://x:y",
	} {
		if _, err := New(Config{Endpoint: bad}); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}

// stranger returns the certificate of an authority that has signed nothing here.
func stranger(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestEndpointCA: the file is read at every question, so that it can be mended.
func TestEndpointCA(t *testing.T) {
	t.Parallel()
	endpoint := newSite(t, say(200, js, principal))
	path := filepath.Join(t.TempDir(), "ca.pem")
	v, err := New(Config{Endpoint: endpoint.URL, CAFile: path})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		text string
		want agent.Life
		why  string
	}{
		{"", agent.Unknown, "no such file"},
		{"\n", agent.Unknown, "it is empty"},
		{"not PEM", agent.Unknown, "no certificate in the data"},
		{string(stranger(t)), agent.Unknown, "unknown authority"},
		{string(endpoint.ca()), agent.Alive, "whoami says 200"},
	} {
		if step.text != "" {
			if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := verify(t, v, request(cwToken)); got.Life != step.want || !strings.Contains(got.Why, step.why) {
			t.Errorf("%.20q: %s %q", step.text, got.Life, got.Why)
		}
	}
	v.CAFile = ""
	if got := verify(t, v, request(cwToken)); got.Life != agent.Unknown || !strings.Contains(got.Why, "unknown authority") {
		t.Errorf("the system's roots: %s %q", got.Life, got.Why)
	}
	if n := len(endpoint.asked()); n != 1 {
		t.Errorf("a token went out over a connection that is not trusted: asked %d times", n)
	}
}

// TestBoundSettings: a server is reached as it is bound, or not at all.
func TestBoundSettings(t *testing.T) {
	t.Parallel()
	server, other := newSite(t, known), newSite(t, known)
	ca, wrong := server.ca(), stranger(t)
	bound := server.server()
	tests := []struct {
		name   string
		change func(*ipc.Server)
		cas    map[string][]byte
		want   agent.Life
		why    string
	}{
		{"as bound", func(*ipc.Server) {}, map[string][]byte{bound.CASHA256: ca}, agent.Alive, "knows"},
		{"CA not at hand", func(*ipc.Server) {}, nil, agent.Unknown, "cannot be asked: its certificate authority is not at hand"},
		{"another CA under that hash", func(*ipc.Server) {}, map[string][]byte{bound.CASHA256: wrong}, agent.Unknown, "not at hand"},
		{"wrong CA", func(s *ipc.Server) { s.CASHA256 = agent.Fingerprint(wrong) },
			map[string][]byte{agent.Fingerprint(wrong): wrong, bound.CASHA256: ca}, agent.Unknown, "unknown authority"},
		{"no CA bound", func(s *ipc.Server) { s.CASHA256 = "" }, map[string][]byte{bound.CASHA256: ca, "": ca}, agent.Unknown, "unknown authority"},
		{"server name", func(s *ipc.Server) { s.TLSServerName = "example.com" }, map[string][]byte{bound.CASHA256: ca}, agent.Alive, "knows"},
		{"wrong server name", func(s *ipc.Server) { s.TLSServerName = "example.org" }, map[string][]byte{bound.CASHA256: ca}, agent.Unknown, "not example.org"},
		{"insecure", func(s *ipc.Server) { s.CASHA256, s.Insecure = "", true }, nil, agent.Alive, "knows"},
		{"insecure and a CA", func(s *ipc.Server) { s.Insecure = true }, map[string][]byte{bound.CASHA256: ca}, agent.Unknown, "exclude each other"},
		{"http", func(s *ipc.Server) { s.URL = strings.Replace(s.URL, "https", "http", 1) }, nil, agent.Unknown, "only https"},
		{"a path", func(s *ipc.Server) { s.URL += "/k8s/clusters/c-1" }, map[string][]byte{bound.CASHA256: ca}, agent.Alive, "knows"},
		{"dead proxy", func(s *ipc.Server) { s.ProxyURL = "http://user:s3cr3t@127.0.0.1:1" }, map[string][]byte{bound.CASHA256: ca}, agent.Unknown, "proxyconnect"},
		{"strange proxy", func(s *ipc.Server) { s.ProxyURL = "://s3cr3t" }, map[string][]byte{bound.CASHA256: ca}, agent.Unknown, "its proxy-url is not a URL"},
	}
	for _, tt := range tests {
		s := bound
		tt.change(&s)
		r := agent.VerifyRequest{Token: ipc.NewSecret(otherToken), Servers: []ipc.Server{s}, CAs: tt.cas}
		if got := verify(t, newVerifier(t, other), r); got.Life != tt.want || !strings.Contains(got.Why, tt.why) {
			t.Errorf("%s: %s %q", tt.name, got.Life, got.Why)
		}
	}
	if asked := other.asked(); len(asked) > 0 {
		t.Errorf("a server that is not bound was asked %q", asked)
	}
	for _, a := range server.asked() {
		if !strings.HasSuffix(a, reviewPath+" "+otherToken) {
			t.Errorf("asked %q", a)
		}
	}
}

// TestProxy: through the bound proxy, and through that of the environment to the
// endpoint. Neither sees the token.
func TestProxy(t *testing.T) {
	t.Parallel()
	endpoint, server := newSite(t, say(403, js, "{}")), newSite(t, known)
	tunnels := func() (*httptest.Server, *atomic.Int32) {
		var n atomic.Int32
		p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect || r.Header.Get("Authorization") != "" {
				t.Errorf("proxy: %s with %q", r.Method, r.Header)
			}
			n.Add(1)
			tunnel(t, w, r.Host)
		}))
		t.Cleanup(p.Close)
		return p, &n
	}
	bound, viaBound := tunnels()
	env, viaEnv := tunnels()
	v := newVerifier(t, endpoint)
	u, err := url.Parse(env.URL)
	if err != nil {
		t.Fatal(err)
	}
	v.proxy = http.ProxyURL(u)
	r := request(cwToken, server)
	r.Servers[0].ProxyURL = bound.URL
	if got := verify(t, v, r); got.Life != agent.Alive {
		t.Errorf("%s %q", got.Life, got.Why)
	}
	if viaBound.Load() != 1 || viaEnv.Load() != 1 {
		t.Errorf("%d through the bound proxy, %d through the environment's", viaBound.Load(), viaEnv.Load())
	}
	v.proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("invalid proxy address s3cr3t") }
	if got := verify(t, v, request(cwToken)); !strings.Contains(got.Why, "the proxy of the environment is not a URL") {
		t.Errorf("%q", got.Why)
	}
}

func tunnel(t *testing.T, w http.ResponseWriter, host string) {
	far, err := net.Dial("tcp", host)
	if err != nil {
		t.Error(err)
		return
	}
	defer far.Close()
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer near.Close()
	io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(far, near)
	io.Copy(near, far)
}

// TestWrongPair: CKS has two endpoints a cluster, and each refuses the tokens of
// the other.
func TestWrongPair(t *testing.T) {
	t.Parallel()
	const managed = "cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com"
	tests := []struct {
		token, host string
		whoami      int
		want        string
	}{
		{cwToken, "api." + managed, 403, "api." + managed + " takes no API Access Tokens, " + managed + " does"},
		{cwToken, "api." + managed, 200, "but api." + managed + " takes no API Access Tokens, " + managed + " does"},
		{cwToken, "api.private.example", 403, "api.private.example takes no API Access Tokens, private.example does"},
		{cwToken, "api.private.example", 200, ""},
		{cwToken, managed, 403, ""},
		{cwToken, managed, 200, ""},
		{otherToken, managed, 0, managed + " takes API Access Tokens only, others go to api." + managed},
		{otherToken, "api." + managed, 0, ""},
		{otherToken, "private.example", 0, ""},
	}
	for _, tt := range tests {
		c := inquiry{
			Verifier: &Verifier{Config: Config{Now: time.Now}},
			request:  agent.VerifyRequest{Token: ipc.NewSecret(tt.token), Servers: []ipc.Server{{URL: "https://" + tt.host + ":443"}}},
			reviews:  []answer{{says: refuses, host: tt.host}},
		}
		switch tt.whoami {
		case 200:
			c.endpoint, c.reviews = &answer{says: knows}, nil
		case 403:
			c.endpoint = &answer{says: forbids}
		}
		if got := c.decide(); got.Why != tt.want {
			t.Errorf("%.9s at %s, whoami %d: %q", tt.token, tt.host, tt.whoami, got.Why)
		}
	}
}

func TestNoToken(t *testing.T) {
	t.Parallel()
	endpoint := newSite(t, say(200, js, principal))
	if got := verify(t, newVerifier(t, endpoint), request("", endpoint)); got.Life != agent.Unknown || len(endpoint.asked()) > 0 {
		t.Errorf("%s %q", got.Life, got.Why)
	}
}

func FuzzWhoami(f *testing.F) {
	for _, seed := range []string{principal, clusters, review, status401, page, `{"principal":null}`, `{"principal":{"uid":"\u202e","orgUid":"o"}}`, `{"items":[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if id, ok := parseWhoami(body); ok != (isName(id.UID) && isName(id.OrgUID)) {
			t.Errorf("%v with %+v", ok, id)
		}
		if user, ok := parseReview(body); ok && (!isName(user) || user == anonymous) {
			t.Errorf("user %q", user)
		}
		page := append([]byte("<"), body...)
		_, who := parseWhoami(page)
		_, user := parseReview(page)
		if who || user || parseClusters(page) || isStatus(page, 401) || (reply{body: page}).ours() {
			t.Error("a web page counts")
		}
		parseClusters(body)
		recognised(body)
	})
}
