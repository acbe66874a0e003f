package source

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const (
	most      = 10 * time.Second // for one answer
	maxBody   = 256 << 10        // bytes of an answer; a token has at most 128 KiB
	maxHeader = 64 << 10         // bytes of headers; net/http would take 10 MB
)

// bound turns a loan into the one way to its server. It is made for one question,
// and what it opens, that question closes: an idle agent has no connections.
func bound(l agent.Loan) (*http.Transport, error) {
	s := l.Server
	settings := &tls.Config{
		MinVersion: tls.VersionTLS12, // as client-go
		ServerName: s.TLSServerName,
		// HTTP/2 has goroutines and pings that outlive the question.
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: s.Insecure,
	}
	switch {
	case !strings.HasPrefix(s.URL, "https://"):
		return nil, errors.New("only https servers get a token")
	case s.Insecure && agent.IsAPIToken(l.Token):
		return nil, errors.New("with insecure-skip-tls-verify anybody on the way would get the API Access Token")
	case s.Insecure && s.CASHA256 != "":
		return nil, errors.New("a certificate authority and insecure-skip-tls-verify exclude each other") // kubectl says so, too
	case s.ProxySHA256 != "":
		return nil, errors.New("its proxy wants a password, and that is not kept")
	case s.CASHA256 != "" && agent.Fingerprint(l.CA) != s.CASHA256:
		return nil, errors.New("its certificate authority is not at hand")
	case s.CASHA256 != "":
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(l.CA) {
			return nil, errors.New("no certificate in the data of its certificate authority")
		}
	}
	proxy := http.ProxyFromEnvironment // where none is bound, as with kubectl
	if s.ProxyURL != "" {
		u, err := url.Parse(s.ProxyURL)
		if err != nil || u.Host == "" {
			return nil, errors.New("its proxy-url is not a URL") // which may hold a password
		}
		proxy = http.ProxyURL(u)
	}
	return &http.Transport{
		TLSClientConfig:   settings,
		Proxy:             quietly(proxy),
		DisableKeepAlives: true,
		// The cap is for what is read: compressed, that could become anything.
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}, nil
}

// quietly keeps the proxy's URL out of errors: it may hold a password.
func quietly(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			err = errors.New("the proxy of the environment is not a URL")
		}
		return u, err
	}
}

// A reply is what has arrived.
type reply struct {
	status int
	header http.Header
	body   []byte
	cut    bool      // there was more than is read
	start  time.Time // when the question was put
}

// put posts one question to the server of a loan. What it says in an error is
// safe to show.
func put(ctx context.Context, by *http.Transport, l agent.Loan, path, userAgent string, body []byte, now func() time.Time) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address(l.Server)+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, errors.New("its address is not a URL")
	}
	l.Token.Read(func(token string) { req.Header.Set("Authorization", "Bearer "+token) })
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{
		Transport:     by,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	start := clock(now)
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, errors.New(phrase(err, sent.Load()))
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header, start: start}
	if r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return reply{}, errors.New(phrase(err, true))
	}
	r.cut = len(r.body) > maxBody
	return r, nil
}

// address leaves out the port where it is the usual one, as kubectl does: there
// are proxies that look at the Host header.
func address(s ipc.Server) string {
	host, path, found := strings.Cut(strings.TrimPrefix(s.URL, "https://"), "/")
	if found {
		path = "/" + strings.TrimSuffix(path, "/")
	}
	return "https://" + strings.TrimSuffix(host, ":443") + path
}

// hostOf is how a server is called in what a person reads.
func hostOf(s ipc.Server) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), "/")
	return bounded(clean(strings.TrimSuffix(host, ":443")))
}

// phrase says why there is no reply. Until the token is sent the other side
// knows nothing, and the error is told as it is. Later it may quote what the
// server sent, which may be the token or a part of it.
func phrase(err error, sent bool) string {
	var op *net.OpError
	var ne net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "the question was withdrawn"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout():
		return "no answer in time"
	case errors.As(err, &op): // made by this system, with addresses and numbers
		return op.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended before the answer did"
	case sent:
		return "the answer is not HTTP"
	}
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err
	}
	return bounded(clean(err.Error()))
}

// code names the status in numbers: the words after it are the server's.
func (r reply) code() string {
	s := strconv.Itoa(r.status)
	if r.status >= 300 && r.status < 400 {
		s += " (a redirect, not followed)"
	}
	return s
}

// official returns the Status that every API server sends when it does not do
// what it was asked.
func (r reply) official() (metav1.Status, bool) {
	var s metav1.Status
	err := json.Unmarshal(r.body, &s)
	return s, err == nil && !r.cut && s.Kind == "Status" && s.APIVersion == "v1" &&
		s.Status == metav1.StatusFailure && (s.Code == 0 || int(s.Code) == r.status)
}

// local turns an instant of the server's clock into one of ours: so long after
// the Date of the answer, counted from when the question was put. Date has whole
// seconds and cuts off the rest, so one is taken away: too early is safe. What has
// an Age comes out of a cache.
func (r reply) local(t time.Time) time.Time {
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil || r.header.Get("Age") != "" {
		return t
	}
	return r.start.Add(t.Sub(date) - time.Second)
}
