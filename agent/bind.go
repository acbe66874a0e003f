package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// Canonical returns s in the one spelling in which bindings are compared:
// scheme and host in lower case, the port filled in, the path cleaned, the
// proxy's URL as client-go passes it on, but for its user and password: they
// leave for a hash, because bindings are written down and shown. (Who can read
// the state file can try passwords against it; a proxy's are no secret of ours,
// and kubeconfigs have them in clear.) Two servers are the same if the results
// are equal in every field.
//
// A proxy that wants a password can so not be passed by the Verifier: a token
// for servers behind it cannot be asked about there.
//
// client-go hands the server to a plugin as the kubeconfig spells it, so a
// binding by bytes would break at a "/" and, worse, could be made to look alike.
func Canonical(s ipc.Server) (ipc.Server, error) {
	u, err := canonicalURL(s.URL)
	if err != nil {
		return s, invalid("server "+quote(redactUserinfo(s.URL))+": "+err.Error(), "as in a kubeconfig: https://HOST[:PORT][/PATH]")
	}
	s.URL = u
	if s.ProxyURL != "" {
		p, err := url.Parse(s.ProxyURL)
		if err != nil {
			return s, invalid("proxy "+quote(redactUserinfo(s.ProxyURL))+": not a URL", "as in a kubeconfig's proxy-url")
		}
		if p.User != nil {
			s.ProxySHA256 = Fingerprint([]byte(p.String()))
			p.User = nil
		}
		s.ProxyURL = p.String()
	}
	s.ProxySHA256 = strings.ToLower(s.ProxySHA256)
	s.CASHA256 = strings.ToLower(s.CASHA256)
	return s, nil
}

// redactUserinfo hides what stands before an "@": it may be a password.
func redactUserinfo(raw string) string {
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		return "..." + raw[i:]
	}
	return raw
}

func canonicalURL(raw string) (string, error) {
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw // as client-go does for TLS
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", errors.New("not a URL")
	case !strings.EqualFold(u.Scheme, "https"):
		return "", errors.New("only https servers get a token")
	case u.User != nil:
		return "", errors.New("a user name has no place in it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(raw, "#"):
		return "", errors.New("a query or a fragment has no place in it")
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return "", err
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errors.New("the port is not a number from 1 to 65535")
	}
	p := path.Clean("/" + u.EscapedPath())
	if p == "/" {
		p = ""
	}
	return "https://" + host + ":" + strconv.FormatUint(n, 10) + p, nil
}

// canonicalHost lowers ASCII only: Unicode has letters, such as the Kelvin
// sign, that become ASCII when lowered, so a host beyond ASCII is refused.
func canonicalHost(h string) (string, error) {
	if h == "" {
		return "", errors.New("the host is missing")
	}
	for i := range len(h) {
		if h[i] <= ' ' || h[i] > '~' {
			return "", errors.New("the host is not plain ASCII (write the punycode form)")
		}
	}
	h = strings.ToLower(h)
	if ip, err := netip.ParseAddr(h); err == nil {
		if ip.Is6() {
			// A URL spells the "%" before a zone as "%25": the result is a URL again.
			return "[" + strings.ReplaceAll(ip.String(), "%", "%25") + "]", nil
		}
		return ip.String(), nil
	}
	return h, nil
}

// Fingerprint names a certificate authority by the SHA-256 of its data, in hex;
// it is empty where the system's roots are trusted.
func Fingerprint(caData []byte) string {
	if len(caData) == 0 {
		return ""
	}
	sum := sha256.Sum256(caData)
	return hex.EncodeToString(sum[:])
}

// Certificates returns the PEM certificates in data and nothing else of it: a
// kubeconfig may name any file as its certificate authority, one with a key or a
// token in it, too, and what is returned is kept on disk.
func Certificates(data []byte) []byte {
	var out []byte
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return out
		}
		if block.Type == "CERTIFICATE" {
			block.Headers = nil
			out = append(out, pem.EncodeToMemory(block)...)
		}
	}
}

// ServersLine is the command that would bind a credential to s. It is shown to
// people who may paste it, and s may come from a hostile kubeconfig: every
// argument is quoted.
func ServersLine(name string, s ipc.Server) string {
	line := "cwagent servers " + name + " --add " + shellQuote(s.URL)
	if s.CASHA256 != "" {
		line += " --ca-sha256 " + shellQuote(s.CASHA256)
	}
	if s.TLSServerName != "" {
		line += " --tls-server-name " + shellQuote(s.TLSServerName)
	}
	if s.ProxyURL != "" {
		line += " --proxy-url " + shellQuote(s.ProxyURL)
	}
	if s.Insecure {
		line += " --insecure-skip-tls-verify"
	}
	return line
}

// quote shows text from outside in a message: no control characters, bounded.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// shellQuote makes one argument of s for a person's shell. "~" is not plain
// because every shell expands it, nor "=" because zsh does. A backslash shows as
// "?", like what is not printable: fish lets it escape a quote within quotes, and
// no server's name has one.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:@%+,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '\\' {
			return '?'
		}
		return r
	}, s)
	return "'" + strings.ReplaceAll(clean, "'", `'\''`) + "'"
}
