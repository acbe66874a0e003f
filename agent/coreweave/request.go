package coreweave

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	maxBody   = 64 << 10 // bytes of an answer; whoami's has about 300
	maxError  = 8 << 10  // bytes of the body of an error
	maxHeader = 64 << 10 // bytes of headers; net/http would take 10 MB
)

type proxyFunc = func(*http.Request) (*url.URL, error)

// A target is how to reach a server.
type target struct {
	ca         []byte // nil: the system's roots
	serverName string
	insecure   bool
	proxy      proxyFunc
}

// A reply is what has arrived.
type reply struct {
	status int
	mime   string
	header http.Header // the server's words: to be judged, never shown
	body   []byte
	cut    bool // there was more than is read
	at     time.Time
	skew   time.Duration
}

// do puts one question. What it says in an error is safe to show.
func (c *inquiry) do(ctx context.Context, to target, method, url string, body []byte) (reply, error) {
	transport, err := transport(to)
	if err != nil {
		return reply{}, err
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, errors.New("its address is not a URL")
	}
	c.request.Token.Read(func(token string) { req.Header.Set("Authorization", "Bearer "+token) })
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	start := c.Now()
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, errors.New(phrase(err, sent.Load()))
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header, at: c.Now()}
	r.mime, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	r.skew = skew(resp.Header, start, r.at)
	limit := maxBody
	if r.status >= 300 {
		limit = maxError
	}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return reply{}, errors.New(phrase(err, true))
	}
	if r.cut = len(r.body) > limit; r.cut {
		r.body = r.body[:limit]
	}
	return r, nil
}

// transport is for one question: what it opens, that question closes.
func transport(to target) (*http.Transport, error) {
	settings := &tls.Config{
		MinVersion: tls.VersionTLS12, // as client-go
		ServerName: to.serverName,
		// HTTP/2 has goroutines and pings that outlive the question.
		NextProtos: []string{"http/1.1"},
	}
	switch {
	case to.ca != nil && to.insecure:
		return nil, errors.New("a certificate authority and insecure-skip-tls-verify exclude each other") // kubectl says so, too
	case to.insecure:
		settings.InsecureSkipVerify = true
	case to.ca != nil:
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(to.ca) {
			return nil, errors.New("no certificate in the data of its certificate authority")
		}
	}
	return &http.Transport{
		TLSClientConfig:   settings,
		Proxy:             quietly(to.proxy),
		DisableKeepAlives: true,
		// The caps are for what is read: compressed, that could become anything.
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}, nil
}

// quietly keeps the proxy's URL out of errors: it may hold a password.
func quietly(proxy proxyFunc) proxyFunc {
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			err = errors.New("the proxy of the environment is not a URL")
		}
		return u, err
	}
}

// phrase says why there is no reply. Until the token is sent the other side
// knows nothing, and the error is told as it is. Later it may quote what the
// server sent, which may be the token or a part of it.
func phrase(err error, sent bool) string {
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return "the question was withdrawn"
	case isTimeout(err):
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
	return err.Error()
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// html reports whether the reply is a web page. Neither JSON nor a plain
// sentence begins with "<".
func (r reply) html() bool {
	if r.mime == "text/html" || r.mime == "application/xhtml+xml" {
		return true
	}
	text := bytes.TrimLeftFunc(bytes.TrimPrefix(r.body, []byte("\xef\xbb\xbf")), unicode.IsSpace)
	return bytes.HasPrefix(text, []byte("<"))
}

// code names the status in numbers: the words after it are the server's.
func (r reply) code() string {
	s := strconv.Itoa(r.status)
	if r.status >= 300 && r.status < 400 {
		s += " (a redirect, not followed)"
	}
	return s
}

// skew is by how much the clock of the server is ahead of ours, in whole
// seconds: the Date header has no more, and cuts off, so that the true time is on
// average half a second later. What has Age comes out of a cache.
func skew(h http.Header, start, end time.Time) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || h.Get("Age") != "" {
		return 0
	}
	middle := start.Add(end.Sub(start) / 2)
	return date.Add(time.Second / 2).Sub(middle).Truncate(time.Second)
}

func printable(r rune) bool { return r != unicode.ReplacementChar && unicode.IsPrint(r) }
